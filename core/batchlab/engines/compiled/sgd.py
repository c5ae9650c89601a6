"""The step of gradient descent, and the three norms of an update, in one pass over the weights."""

from math import sqrt
from typing import Any

import numpy as np

from batchlab.engines.compiled.maths import inner, within


@inner
def step(w: Any, v: Any, g: Any, rate: Any, momentum: Any, nesterov: bool, decay: Any, sums: Any) -> None:
    """One parameter's step as torch.optim.SGD takes it: `g += decay w; v = m v + g; w -= rate (v, or g + m v)`.

    `w`, `v`, `g`: vectors, float32; `v` is left alone without momentum. Into `sums` (3,) go the sums of squares of the
    gradient before decay, of the weights before the step, and of what the weights moved.
    """
    of_g, of_w, of_u = 0.0, 0.0, 0.0
    for i in range(w.size):
        before, slope = w[i], g[i]
        of_g += np.float64(slope) * np.float64(slope)
        of_w += np.float64(before) * np.float64(before)
        slope += decay * before
        if momentum > 0:
            v[i] = momentum * v[i] + slope
            slope = slope + momentum * v[i] if nesterov else v[i]
        now = before - rate * slope
        moved = np.float64(now - before)
        of_u += moved * moved
        w[i] = now
    sums[0], sums[1], sums[2] = of_g, of_w, of_u


@within
def keep(sums: Any, norms: Any, parameter: int) -> None:
    """Put the roots of a step's three sums into the parameter's column."""
    for j in range(3):
        norms[j, parameter] = sqrt(sums[j])
