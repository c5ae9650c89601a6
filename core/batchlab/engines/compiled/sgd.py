"""The step of gradient descent, and the three norms of an update, in one pass over the weights."""

from math import sqrt
from typing import Any

import numpy as np

from batchlab.engines.compiled.maths import inner


@inner
def step(
    w: Any, v: Any, g: Any, n: int, rate: Any, momentum: Any, nesterov: bool, decay: Any, norms: Any, apart: int
) -> None:  # fmt: skip
    """One parameter's step as torch.optim.SGD takes it: `g += decay w; v = m v + g; w -= rate (v, or g + m v)`.

    `w`, `v`, `g`: n numbers each; `v` is left alone without momentum. Into `norms`, so far apart, go the norms of the
    gradient before decay, of the weights before the step, and of what the weights moved.
    """
    of_g, of_w, of_u = 0.0, 0.0, 0.0
    for i in range(n):
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
    norms[0], norms[apart], norms[2 * apart] = sqrt(of_g), sqrt(of_w), sqrt(of_u)
