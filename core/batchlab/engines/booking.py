"""A stretch of a cell as engines book it: metrics, totals, evaluations, how it has ended, and what is kept then."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from batchlab.cell import Cell
from batchlab.engines.base import CellBlock, Ending, Float32s, Kept, Weights
from batchlab.engines.tally import Tally
from batchlab.keeping import Last
from batchlab.probes import Need, Shapes, numbers


@dataclass(frozen=True)
class Stretch:
    """What was measured at m consecutive updates, and the evaluations made meanwhile: plain numbers."""

    losses: NDArray[np.float64]
    """Shape (m,), before any cast: a loss in float64 may be beyond float32."""
    norms: Mapping[Need, NDArray[np.float64]]
    """A row for each update."""
    laps: NDArray[np.float64]
    """Seconds, shape (m,)."""
    rates: Sequence[float] | NDArray[np.float64]
    momenta: Sequence[float | None] | NDArray[np.float64]
    evaluations: Sequence[tuple[int, Mapping[str, float]]]

    @property
    def bad(self) -> bool:
        """Whether a loss is not finite."""
        return not bool(np.isfinite(self.losses).all())

    def __len__(self) -> int:
        """Its updates, up to the first whose loss is not finite."""
        bad = np.flatnonzero(~np.isfinite(self.losses))
        return int(bad[0]) + 1 if bad.size else len(self.losses)


def book(cell: Cell, tally: Tally, shapes: Shapes, stretch: Stretch) -> CellBlock:
    """Take the stretch into the totals; returns it as a block without an ending.

    It is cut at the first loss that is not finite. That update has left nothing to evaluate.
    """
    n = len(stretch)
    before, last = tally.done, tally.done + n
    until = last - 1 if stretch.bad else last
    kept = [(step, values) for step, values in stretch.evaluations if step <= until]
    probed = probe(cell, shapes, {need: values[:n] for need, values in stretch.norms.items()})
    laps = stretch.laps[:n]
    set_to = _settings(cell, before, n, stretch)
    updates = {"loss": single(stretch.losses[:n]), **set_to, **probed, "step_seconds": single(laps)}
    _take_in(cell, tally, probed, laps, kept)
    return CellBlock(before + 1, updates, np.array([step for step, _ in kept], np.int64), columns(kept), last)


def _settings(cell: Cell, before: int, n: int, stretch: Stretch) -> dict[str, Float32s]:
    """Rate, batch size and momentum of each update."""
    rows = np.diff(cell.batches.seen(np.arange(before, before + n + 1)))
    found = {"lr": single(stretch.rates[:n]), "batch_size": single(rows)}
    return found if cell.momentum is None else found | {"momentum": single(stretch.momenta[:n])}


def probe(cell: Cell, shapes: Shapes, norms: Mapping[Need, NDArray[np.float64]]) -> dict[str, Float32s]:
    """What the cell's probes make of what was measured, a row for each update: a column for each metric."""
    probed: dict[str, Float32s] = {}
    for own in cell.probes:
        if own.need:
            values = own.values(norms[own.need], shapes)
            probed |= {name: single(column) for name, column in values.items()}
    return probed


def _take_in(
    cell: Cell, tally: Tally, probed: Mapping[str, Float32s], laps: NDArray[np.float64],
    kept: Sequence[tuple[int, Mapping[str, float]]],
) -> None:  # fmt: skip
    before, already = tally.done, tally.train_seconds
    tally.add(probed, len(laps))
    tally.add_time(laps, cell)
    for own in cell.probes:
        for name, (metric, limit) in own.crossings().items():
            tally.crossed(name, before, probed[metric] > limit)
    for step, values in kept:
        tally.evaluated(step, values)
        tally.watch(cell, step, values, already + float(laps[: step - before].sum()))


def columns(kept: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, Float32s]:
    """The evaluations (after how many updates, and their values) by metric."""
    names = kept[0][1] if kept else ()
    return {name: single([values[name] for _, values in kept]) for name in names}


def single(values: object) -> Float32s:
    """As stored: float32, from float64."""
    return np.asarray(values, dtype=np.float64).astype(np.float32)


def ending(
    cell: Cell,
    tally: Tally,
    diverged_at: int | None,
    stopped: bool,
    final: Callable[[], Mapping[str, float]],
    *,
    timing: Literal["step", "block"] = "step",
) -> Ending | None:
    """How the cell has ended by its totals; None while it goes on. `final` evaluates what is left for the end alone.

    `timing`: what seconds were measured of.
    """
    if diverged_at is None and not stopped and tally.done < cell.steps:
        return None
    losses = (tally.last.get("train_loss", 0.0), tally.last.get("val_loss", 0.0))
    if diverged_at is None and not all(map(math.isfinite, losses)):
        diverged_at = tally.done  # the last update has left weights that have no finite loss
    result = tally.result(cell, diverged_at, final() if diverged_at is None else {}) | cell.optimizer.declared()
    return Ending("succeeded" if diverged_at is None else "diverged", {**result, "timing": timing})


def final_position(cell: Cell, shapes: Shapes, values: Callable[[], Sequence[float]]) -> dict[str, float]:
    """The numbers of the model at the end, where they were recorded on the way."""
    if not any(own.need == "position" for own in cell.probes):
        return {}
    return {f"final_param/{name}": value for name, value in zip(numbers(shapes), values(), strict=True)}


def kept_at_end(cell: Cell, found: Ending | None, done: int, weights: Callable[[], Weights]) -> dict[int, Kept]:
    """The weights with which a cell has ended well, where they are asked for: for engines that keep no others."""
    if not cell.checkpoints or found is None or found.status != "succeeded":
        return {}
    return {done: Kept(weights(), (Last.tag(),))}
