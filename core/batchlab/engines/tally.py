"""What is kept of a cell beside its curves: means, best values, times; at the end, its result.

Sums are float64 and taken one update after the other, so that the result has the same bits wherever blocks begin.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchlab.cell import Cell
from batchlab.metrics import EVALUATED

SIGNS = {"val_loss": -1, "val_accuracy": 1}
"""The metrics whose best value is kept, and whether larger (1) or smaller (-1) is better."""
WARM_UP = 10
"""Updates of a start or a resume that no mean time includes."""


@dataclass
class Best:
    """The first best value so far and the step at which it was taken."""

    value: float | None = None
    step: int | None = None

    def offer(self, value: float, step: int, sign: int) -> None:
        """Take `value` if it is better; `sign` is 1 where larger is better, -1 where smaller is."""
        if math.isfinite(value) and (self.value is None or sign * value > sign * self.value):
            self.value, self.step = value, step

    def offer_all(self, values: NDArray[np.float64], steps: NDArray[np.int64], sign: int) -> None:
        """Take the first best of these values (m,), if it is better."""
        finite = np.isfinite(values)
        if finite.any():
            place = int(np.where(finite, sign * values, -np.inf).argmax())
            self.offer(float(values[place]), int(steps[place]), sign)


@dataclass
class Tally:
    """A cell's running totals. JSON both ways by `to_json` and `from_json`."""

    done: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    """The latest evaluation."""
    best: dict[str, Best] = field(default_factory=lambda: {"val_loss": Best(), "val_accuracy": Best()})
    crossings: dict[str, int | None] = field(default_factory=dict)
    """The first update at which a measured value is over the limit that a probe was given, by the result's key."""
    target_step: int | None = None
    seconds_to_target: float | None = None
    train_seconds: float = 0.0
    timed_seconds: float = 0.0
    timed_updates: int = 0
    fresh: int = 0
    """Updates since the start or the resume; not kept."""

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for the state of a cell."""
        return {key: value for key, value in asdict(self).items() if key != "fresh"}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Tally":
        """The totals that `to_json` gave; the next updates count as those of a resume."""
        return cls(**{**data, "best": {name: Best(**best) for name, best in data["best"].items()}})

    def add(self, probed: Mapping[str, NDArray[np.float32]], n: int) -> None:
        """Take in the probes' values of the next `n` updates; only finite ones count."""
        for name, values in probed.items():
            self._sum(name, values)
        self.done += n

    def _sum(self, name: str, values: NDArray[Any]) -> None:
        finite = np.isfinite(values)
        terms = np.where(finite, values, 0.0).astype(np.float64)
        self.sums[name] = float(np.cumsum(np.concatenate([[self.sums.get(name, 0.0)], terms]))[-1])
        self.counts[name] = self.counts.get(name, 0) + int(finite.sum())

    def crossed(self, name: str, before: int, over: NDArray[np.bool_]) -> None:
        """Take in whether a value is over its limit at each of the updates that follow `before` ones."""
        if self.crossings.get(name) is None:
            self.crossings[name] = before + 1 + int(over.argmax()) if over.any() else None

    def add_time(self, laps: NDArray[np.float64], cell: Cell) -> None:
        """Take in the seconds of the next updates; the first few after a start or a resume are not timed."""
        timed = laps[max(0, min(WARM_UP, cell.steps // 2) - self.fresh) :]
        self.train_seconds += float(laps.sum())
        self.timed_seconds += float(timed.sum())
        self.timed_updates += len(timed)
        self.fresh += len(laps)

    def evaluated(self, step: int, values: Mapping[str, float]) -> None:
        """Take in the evaluation after `step` updates (the initial weights are no candidate for the best)."""
        self.last = dict(values)
        for name in values.keys() - set(EVALUATED):  # what probes measure at evaluations
            self._sum(name, np.array([values[name]]))
        if step > 0:
            for name, sign in SIGNS.items():
                self.best[name].offer(values.get(name, math.nan), step, sign)

    def evaluated_all(self, steps: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]]) -> None:
        """Take in evaluations (m,) in a row, of the metrics in `EVALUATED`, as `evaluated` takes in each."""
        if len(steps):
            self.last = {name: float(column[-1]) for name, column in values.items()}
        taken = steps > 0
        for name in SIGNS.keys() & values.keys():
            self.best[name].offer_all(values[name][taken], steps[taken], SIGNS[name])

    def watch(self, cell: Cell, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Note where the cell's target is first reached: after `step` updates and so many seconds of training."""
        if cell.target is not None and self.target_step is None and cell.target.reached(values[cell.target.metric]):
            self.target_step, self.seconds_to_target = step, seconds

    @property
    def seconds_per_update(self) -> float | None:
        """Mean training seconds of an update (of all updates, where none came after the first few)."""
        if self.timed_updates:
            return self.timed_seconds / self.timed_updates
        return self.train_seconds / self.done if self.done else None

    def _updates_per_epoch(self, cell: Cell) -> float:
        """Where the batch size changes, the mean over the run so far."""
        return self.done * cell.rows / cell.examples(self.done) if cell.varies and self.done else cell.steps_per_epoch

    def result(self, cell: Cell, diverged_at: int | None, final: Mapping[str, float]) -> dict[str, Any]:
        """The cell's result by the contract; `final` adds what is evaluated at the end alone."""
        values: dict[str, Any] = dict.fromkeys(EVALUATED)
        if diverged_at is None:
            values |= {**self.last, **final}
        for name, best in self.best.items():
            values |= {f"best_{name}": best.value, f"best_{name}_step": best.step}
        values |= self._means(cell)
        values |= self.crossings
        each = self.seconds_per_update
        for probe in cell.probes:
            values |= probe.costs(self.sums, self.train_seconds)
        values |= {"updates": self.done, "diverged_at": diverged_at, "seconds_per_update": each}
        values["seconds_per_epoch"] = None if each is None else each * self._updates_per_epoch(cell)
        if cell.target is not None:
            values |= self._to_target(cell)
        return {name: _finite(value) for name, value in values.items()}

    def _means(self, cell: Cell) -> dict[str, float | None]:
        """The mean of each metric over what was finite; None where nothing was."""
        found = {f"mean_{name}": self.sums[name] / n if n else None for name, n in self.counts.items()}
        for probe in cell.probes:
            found |= probe.means(found)
        return found

    def _to_target(self, cell: Cell) -> dict[str, Any]:
        """When the target was reached, None where it was not, and how far the cell went altogether."""
        step = self.target_step
        seen = None if step is None else cell.examples(step)
        whole = cell.examples(self.done)
        return {
            "target_step": step,
            "examples_to_target": seen,
            "epochs_to_target": None if seen is None else seen / cell.rows,
            "seconds_to_target": self.seconds_to_target,
            "examples": whole,
            "epochs": whole / cell.rows,
        }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
