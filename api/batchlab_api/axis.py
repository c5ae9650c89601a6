"""The x axes of curves: updates, epochs, examples or training seconds, and the way back from a bound to updates."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from batchlab.cell import Cell
from numpy.typing import NDArray

Axis = Literal["step", "epoch", "examples", "seconds"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clock:
    """A running total after some numbers of updates, from 0 on: both ascending, shape (k,).

    Of training seconds, or of rows where only what was stored tells the batch sizes.
    """

    steps: Floats
    totals: Floats

    @classmethod
    def of(cls, steps: NDArray[Any], means: NDArray[Any]) -> "Clock":
        """From a thinned series of step times or batch sizes: a mean holds for the updates since the point before."""
        ends = np.concatenate([[0.0], steps.astype(np.float64)])
        times = np.nan_to_num(means.astype(np.float64)) * np.diff(ends)
        return cls(ends, np.concatenate([[0.0], np.cumsum(times)]))


def along(x: Axis, cell: Cell, steps: NDArray[Any], clock: Clock | None) -> Floats:
    """`steps` (updates finished, any shape) on the axis `x`; seconds need a clock (without one: nan), and the rows of a
    cell whose batch sizes were found while it trained one of rows."""
    if x == "step":
        return steps.astype(np.float64)
    if x == "seconds":
        return np.full(steps.shape, np.nan) if clock is None else np.interp(steps, clock.steps, clock.totals)
    if cell.batch_schedule.adaptive and clock is not None:
        examples = np.interp(steps, clock.steps, clock.totals)
    else:
        examples = cell.batches.seen(steps)
    return np.asarray(examples / cell.rows if x == "epoch" else examples, dtype=np.float64)


def bounds(x: Axis, cell: Cell, first: float | None, last: float | None, clock: Clock | None) -> tuple[int, int]:
    """The updates within `first .. last` on the axis `x`, both inclusive."""
    place = _place(x, cell, clock)
    every = range(cell.steps + 1)
    low = 0 if first is None else bisect_left(every, first, key=place)
    high = cell.steps if last is None else bisect_right(every, last, key=place) - 1
    return low, high


def _place(x: Axis, cell: Cell, clock: Clock | None) -> Callable[[int], float]:
    return lambda step: float(along(x, cell, np.array([step]), clock)[0])
