"""When each batch size holds, and how many rows are seen by which update: arithmetic of whole numbers.

An epoch's rows are taken in their order, each batch from where the one before it ended; the last batch of an epoch is
what is left of it. So no row comes twice in an epoch and none is lost, wherever the batch size changes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from batchlab.schedules import Clock, Floats, Unit

Counted = Literal["updates", "rows"]
Ints = NDArray[np.int64]
SLACK = 1e-6
"""What a place in rows or updates may miss a whole number by: it is a product of floats."""


def ceil_div(a: Any, b: Any) -> Any:
    """The quotient of whole numbers, rounded up."""
    return -(-a // b)


def seen_after(seen: int, size: int, rows: int, n: int) -> int:
    """Rows seen after `n` more batches of `size`, of an epoch of `rows`, when `seen` are seen already."""
    left = rows - seen % rows
    head = ceil_div(left, size)
    if n <= head:
        return seen + min(n * size, left)
    epochs, rest = divmod(n - head, ceil_div(rows, size))
    return int(seen + left + epochs * rows + min(rest * size, rows))


def batches_until(seen: int, size: int, rows: int, target: int) -> int:
    """The fewest batches of `size` after which at least `target` rows are seen."""
    left = rows - seen % rows
    if target - seen <= left:
        return max(0, int(ceil_div(target - seen, size)))
    epochs, rest = divmod(target - seen - left, rows)
    return int(ceil_div(left, size) + epochs * ceil_div(rows, size) + ceil_div(rest, size))


@dataclass(frozen=True)
class Change:
    """From the first update on that finds `at` behind it (updates or rows, as counted), batches take `size` rows.

    `rate` is the factor on the learning rate that goes with them.
    """

    at: float
    size: int
    counted: Counted = "rows"
    rate: float = 1.0


@dataclass(frozen=True)
class Run:
    """What a batch schedule is measured against: `rows` an epoch, the batch size of the sweep, and the run's length.

    The length is in updates or in rows, as the budget counts.
    """

    rows: int
    batch_size: int
    length: int
    counted: Counted

    @property
    def even(self) -> "BatchPlan":
        """The run of this length whose batch size never changes."""
        return BatchPlan.of(self, ())

    @property
    def clock(self) -> Clock:
        """The clock of that run, by which lengths in epochs and fractions are measured."""
        return Clock(self.even.steps, int(ceil_div(self.rows, self.batch_size)))

    def place(self, value: float, unit: Unit) -> tuple[float, Counted]:
        """Where a length from the start ends: in updates or in rows."""
        if unit == "epochs":
            return value * self.rows, "rows"
        return (value, "updates") if unit == "steps" else (value * self.length, self.counted)

    def share(self, value: float) -> int:
        """A share of the training rows, in rows, at least one."""
        return max(1, int(value * self.rows + 0.5))


@dataclass(frozen=True)
class Phase:
    """A stretch of batches of one size: how many updates and rows lie before it, and its factor on the rate."""

    done: int
    seen: int
    size: int
    rate: float = 1.0


@dataclass(frozen=True)
class BatchPlan:
    """The phases of a run over `rows` an epoch whose sweep asks for batches of `base`, and the updates in it."""

    rows: int
    base: int
    phases: tuple[Phase, ...]
    steps: int

    @classmethod
    def of(cls, run: Run, changes: Iterable[Change]) -> "BatchPlan":
        """The plan of a run in which the batch size changes so: in order, all counted alike; the end cuts them off."""
        phases = [Phase(0, 0, run.batch_size)]
        for change in changes:
            done, seen = _reach(phases[-1], run.rows, change.at, change.counted)
            if (done >= run.length) if run.counted == "updates" else (seen >= run.length):
                break
            if (change.size, change.rate) != (phases[-1].size, phases[-1].rate):
                phases[len(phases) - (phases[-1].done == done) :] = [Phase(done, seen, change.size, change.rate)]
        return cls(run.rows, run.batch_size, tuple(phases), _reach(phases[-1], run.rows, run.length, run.counted)[0])

    def examples(self, done: int) -> int:
        """Rows seen after `done` updates."""
        phase = self.phases[bisect_right(self._dones, done) - 1]
        return seen_after(phase.seen, phase.size, self.rows, done - phase.done)

    def updates(self, seen: int) -> int:
        """The fewest updates that see at least `seen` rows."""
        phase = self.phases[max(0, bisect_left(self._seens, seen) - 1)]
        return phase.done + batches_until(phase.seen, phase.size, self.rows, seen)

    def seen(self, done: NDArray[Any]) -> Ints:
        """As `examples`, for many numbers of updates at once: same shape."""
        done = done.astype(np.int64)
        begun, before, sizes = self._columns
        at = self._phase(done)
        seen, size, n = before[at], sizes[at], done - begun[at]
        left = self.rows - seen % self.rows
        head = ceil_div(left, size)
        epochs, rest = np.divmod(np.maximum(n - head, 0), ceil_div(self.rows, size))
        later = seen + left + epochs * self.rows + np.minimum(rest * size, self.rows)
        return np.asarray(np.where(n <= head, seen + np.minimum(n * size, left), later))

    def sizes(self, done: NDArray[Any]) -> Ints:
        """The batch size of the updates that follow `done` finished ones, same shape. An epoch's last takes less."""
        return np.asarray(self._columns[2][self._phase(done)])

    def rate_factors(self, done: NDArray[Any]) -> Floats:
        """The factor on the rate of the same updates, same shape."""
        return np.array([phase.rate for phase in self.phases])[self._phase(done)]

    def pace(self, done: Floats) -> Floats:
        """How many batches of `base` rows see as much as the first `done` updates."""
        epochs, rest = np.divmod(self.seen(done), self.rows)
        return np.asarray(epochs * ceil_div(self.rows, self.base) + rest / self.base, dtype=np.float64)

    def _phase(self, done: NDArray[Any]) -> Ints:
        return np.searchsorted(self._columns[0], done, side="right") - 1

    @cached_property
    def _dones(self) -> Sequence[int]:
        return [phase.done for phase in self.phases]

    @cached_property
    def _seens(self) -> Sequence[int]:
        return [phase.seen for phase in self.phases]

    @cached_property
    def _columns(self) -> Ints:
        return np.array([(phase.done, phase.seen, phase.size) for phase in self.phases], dtype=np.int64).T


def _reach(phase: Phase, rows: int, at: float, counted: Counted) -> tuple[int, int]:
    """Updates and rows at the first update's end within or after `phase`'s start that has `at` behind it."""
    whole = at if isinstance(at, int) else int(-((SLACK - at) // 1))
    n = max(0, whole - phase.done) if counted == "updates" else batches_until(phase.seen, phase.size, rows, whole)
    return phase.done + n, seen_after(phase.seen, phase.size, rows, n)
