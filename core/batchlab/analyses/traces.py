"""The trace of a matrix known by its products, with its standard error.

Hutchinson 1990: the mean of z' A z over z of random signs. Hutch++ (Meyer, Musco, Musco & Woodruff 2021): the trace
within a random subspace that A has stretched is exact, and only what is left over is estimated.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.analyses.base import Held, Work
from batchlab.analyses.measured import Measured, error_of_mean
from batchlab.analyses.operators import Operator

Signs = Callable[[int], Tensor]
"""Random signs, (n,), for each number."""


def hutchinson(
    operator: Operator, signs: Signs, probes: int, held: Held, parts: list[slice]
) -> Work[NDArray[np.float64]]:
    """z' A z of each probe, split over `parts` of the coordinates: (probes, parts). One probe a piece.

    As signs are independent, the share of a part is an unbiased estimate of the trace of its diagonal block.
    """
    for i in range(len(held.series("terms")), probes):
        z = signs(i)
        terms = z.double() * operator(z).double()
        held.append("terms", [float(terms[part].sum()) for part in parts])
        yield (i + 1) / probes
    return np.stack(held.series("terms"))


def hutch_plus_plus(operator: Operator, signs: Signs, probes: int, held: Held) -> Work[Measured]:
    """The trace by probes / 3 products each for the subspace, the trace in it, and the rest."""
    third = max(1, min(probes // 3, operator.n))
    for i in range(len(held.series("sketch")), third):
        held.append("sketch", operator(signs(i)).cpu().numpy())
        yield (i + 1) / (3 * third)
    like = signs(0)
    sketch = torch.stack([torch.from_numpy(v.copy()).to(like) for v in held.series("sketch")], dim=1)
    space = torch.linalg.qr(sketch.double())[0].to(like)
    for i in range(len(held.numbers("inside")), third):
        held.add("inside", float(space[:, i].double() @ operator(space[:, i]).double()))
        yield (third + i + 1) / (3 * third)
    for i in range(len(held.numbers("outside")), third):
        z = signs(third + i)
        z = z - space @ (space.T @ z)
        held.add("outside", float(z.double() @ operator(z).double()))
        yield (2 * third + i + 1) / (3 * third)
    inside, outside = held.numbers("inside"), held.numbers("outside")
    facts = {"products": 3 * third, "inside": float(inside.sum())}
    return Measured(float(inside.sum() + outside.mean()), error_of_mean(outside), True, facts)
