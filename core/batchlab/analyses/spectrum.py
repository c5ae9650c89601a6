"""The density of eigenvalues by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017; Ghorbani et al. 2019).

    (1 / n) sum_i g(lambda_i) ~ mean over random starts of sum_k tau_k g(theta_k),   tau_k = (e_1' y_k)^2

with theta, y the eigenpairs of Lanczos' tridiagonal matrix. For a picture, g is a normal curve of width sigma.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
PAD = 0.1
"""The picture goes beyond the values by so much of their range."""


@dataclass(frozen=True)
class Density:
    """A smoothed density: at `grid`, its mean over the starts and its standard error there (None for one start)."""

    grid: Vector
    mean: Vector
    standard_error: Vector | None
    sigma: float


def density(nodes: list[Vector], weights: list[Vector], sigma: float | None, points: int) -> Density:
    """The density of nodes theta with weights tau, a pair of arrays for each start.

    Where `sigma` is None it is the range of the nodes over their number in a start (hessian-eigenthings' choice).
    """
    everything = np.concatenate(nodes)
    low, high = float(everything.min()), float(everything.max())
    width = high - low or max(abs(high), 1.0)
    sigma = sigma or width / max(len(n) for n in nodes)
    grid = np.linspace(low - PAD * width, high + PAD * width, points)
    each = np.stack([_smooth(grid, *pair, sigma) for pair in zip(nodes, weights, strict=True)])
    error = None if len(each) < 2 else each.std(axis=0, ddof=1) / np.sqrt(len(each))
    return Density(grid, each.mean(axis=0), error, sigma)


def _smooth(grid: Vector, nodes: Vector, weights: Vector, sigma: float) -> Vector:
    curves = np.exp(-0.5 * ((grid[:, None] - nodes) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    smooth: Vector = curves @ weights
    return smooth
