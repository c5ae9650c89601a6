"""What a first learning rate did, by the training loss alone: slow, good, plateau or divergence."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Class = Literal["slow", "good", "plateau", "divergence"]
GOOD = 2.0
"""A rate is good whose loss ends within this factor of the best, seen from the loss at the start."""
FALLING = 0.05
"""A run is still falling whose loss fell by this share of the start's in its second half."""


def classify(curves: Sequence[NDArray[np.float64]]) -> list[Class]:
    """The class of each run, from its training losses at the evaluations, the initial weights first.

    Divergence: a loss that is not finite, or ends above the one at the start. Good: one that ends within `GOOD` times
    the lowest end. Of the rest, slow has only ever fallen, or still falls by more than `FALLING` of the start's loss in
    the second half of the run; a plateau does neither.
    """
    ends = [float(losses[-1]) if np.isfinite(losses).all() else np.inf for losses in curves]
    return [_class(losses, end, min(ends)) for losses, end in zip(curves, ends, strict=True)]


def _class(losses: NDArray[np.float64], end: float, best: float) -> Class:
    if end > losses[0]:
        return "divergence"
    if end <= GOOD * best:
        return "good"
    fallen = losses[len(losses) // 2] - end
    return "slow" if (np.diff(losses) < 0).all() or fallen > FALLING * losses[0] else "plateau"
