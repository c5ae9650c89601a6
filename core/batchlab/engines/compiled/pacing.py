"""Where a stretch of training is cut: at evaluations, at the first loss that is not finite, at a target."""

from math import isfinite
from typing import Any

from batchlab.engines.compiled.maths import within


@within
def segment(done: int, taken: int, every: int, n: int) -> int:
    """Where the next evaluation cuts a stretch of n updates of which `taken` are done."""
    return min(n, taken + every - (done + taken) % every)


@within
def first_bad(losses: Any, first: int, last: int) -> int:
    """The place of the first loss in first .. last - 1 that is not finite; `last` where all are."""
    for i in range(first, last):
        if not isfinite(losses[i]):
            return i
    return last


@within
def reached(found: Any, watch: Any) -> bool:
    """Whether an evaluation (train loss, train accuracy, val loss, val accuracy) reaches the target that stops a cell.

    `watch`: column, bound and sign (1: at least, -1: at most); a column below 0 never stops.
    """
    column, bound, sign = watch
    return bool(column >= 0 and sign * found[column] >= sign * bound)
