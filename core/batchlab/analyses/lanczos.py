"""Eigenvalues of a matrix known by its products: Lanczos' method with full reorthogonalisation.

    A V = V T + beta_m v_{m+1} e_m',    T = tridiag(beta, alpha, beta),    |A V s - theta V s| = beta_m |s_m|

V stays orthonormal to rounding, since each new vector is made orthogonal to all earlier ones, twice (Parlett 1998,
section 6.9). Where the space of a start is exhausted, the next vector is a random one orthogonal to it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.analyses.base import Held, Work
from batchlab.analyses.operators import Operator
from batchlab.errors import DataError

Vector = NDArray[np.float64]
EXHAUSTED = 1e-6
"""A new vector this short, of what the matrix gave, is rounding (in float64: its square root below 1e-12)."""


@dataclass(frozen=True)
class Ritz:
    """What m steps know: values in ascending order, their residuals |A y - theta y| for unit y, and the squared first
    components of T's eigenvectors, which weigh the values in a quadrature."""

    values: Vector
    residuals: Vector
    weights: Vector

    @property
    def scale(self) -> float:
        """The largest magnitude: an estimate of the matrix' norm."""
        return float(np.abs(self.values).max())


def lanczos(
    operator: Operator, fresh: Callable[[int], Tensor], steps: int, held: Held, done: Callable[[Ritz], bool]
) -> Work[Ritz]:
    """At most `steps` products (one a piece), from the vector `fresh(0)`; fewer once `done`, and at most n.

    `fresh(i)` gives random vectors: (n,). What is held is the basis: a vector a step.
    """
    steps = min(steps, operator.n)
    start = fresh(0)
    if "basis.0" not in held:
        held.append("basis", (start / start.norm()).cpu().numpy())
    basis = [torch.from_numpy(v.copy()).to(start) for v in held.series("basis")]
    while len(basis) <= steps:
        if len(basis) > 1 and done(_ritz(held)):
            break
        _extend(operator(basis[-1]), basis, held, fresh)
        yield (len(basis) - 1) / steps
    return _ritz(held)


def _extend(product: Tensor, basis: list[Tensor], held: Held, fresh: Callable[[int], Tensor]) -> None:
    """One step: the next row of T, and the next vector of the basis."""
    alpha = float(product.double() @ basis[-1].double())
    if not math.isfinite(alpha):
        raise DataError("the curvature at these weights is not finite: the network has diverged, or needs float64")
    held.add("alpha", alpha)
    size = float(product.double().norm())
    rest = _orthogonal(product, basis)
    beta = float(rest.double().norm())
    small = EXHAUSTED if rest.dtype == torch.float32 else EXHAUSTED**2
    if beta <= small * size or size == 0.0:
        beta, rest = 0.0, _orthogonal(fresh(len(basis)), basis)
    held.add("beta", beta)
    basis.append(rest / rest.norm().clamp_min(torch.finfo(rest.dtype).tiny))
    held.append("basis", basis[-1].cpu().numpy())


def _orthogonal(vector: Tensor, basis: list[Tensor]) -> Tensor:
    """What of a vector is orthogonal to the basis."""
    rows = torch.stack(basis)
    for _ in range(2):
        vector = vector - rows.T @ (rows @ vector)
    return vector


def _ritz(held: Held) -> Ritz:
    from scipy.linalg import eigh_tridiagonal

    alpha, beta = held.numbers("alpha"), held.numbers("beta")
    values, vectors = eigh_tridiagonal(alpha, beta[:-1])
    return Ritz(np.asarray(values, np.float64), beta[-1] * np.abs(vectors[-1]), np.square(vectors[0]))


def ends(top: int, bottom: int, tolerance: float, n: int | None = None) -> Callable[[Ritz], bool]:
    """Whether the largest `top` and the smallest `bottom` values are known to `tolerance` of the matrix' norm.

    Of a matrix of `n` rows, where that is given, all values are enough.
    """
    enough = top + bottom if n is None else min(n, top + bottom)

    def known(ritz: Ritz) -> bool:
        if len(ritz.values) < enough:
            return False
        wanted = np.concatenate([ritz.residuals[:bottom], ritz.residuals[max(0, len(ritz.residuals) - top) :]])
        return bool((wanted <= tolerance * ritz.scale).all())

    return known
