"""A maximum within a box by L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995; scipy's), so that it can be taken up anywhere.

The method is a deterministic function of the values and gradients that it asks for. So what is kept is their log: to go
on, the method is run again on the log and evaluates only what nobody knows yet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchlab.analyses.base import Held, Work

Vector = NDArray[np.float64]
Evaluate = Callable[[Vector], tuple[float, NDArray[np.floating]]]
"""The value at a point and its gradient there, (n,)."""
PATIENCE = 2.0
"""Seconds of evaluations after which a piece ends. Where it ends changes no number."""
EDGE = 1e-9
"""A coordinate this near to the edge of the box, relative to its width, lies on it."""


@dataclass(frozen=True)
class Maximum:
    """The best point that was found, its value, the iterations made and the share of coordinates on the box's edge."""

    value: float
    point: Vector
    iterations: int
    evaluations: int
    at_edge: float
    stationary: bool
    """Whether no step within the box goes up from there, to first order (1e-6 of the slope at the start)."""


class _Enough(Exception):
    """The piece is over."""


def maximise(evaluate: Evaluate, start: Vector, box: Vector, iterations: int, held: Held) -> Work[Maximum]:
    """The largest value that at most `iterations` find in |y| <= box from `start`.

    A piece is at least one evaluation, and as many as `PATIENCE` allows.
    """
    while True:
        try:
            return _run_on(evaluate, held, start, box, iterations)
        except _Enough:
            yield min(1.0, len(held.numbers("value")) / (2 * iterations))


def _run_on(evaluate: Evaluate, held: Held, start: Vector, box: Vector, iterations: int) -> Maximum:
    """The method on the log that `held` has, and on what it evaluates beyond; _Enough after a piece of that."""
    from scipy.optimize import Bounds, minimize

    values, slopes = held.numbers("value").tolist(), held.series("gradient")
    known, began = len(values), 0.0
    points: list[Vector] = []

    def downhill(y: Vector, *_: Any) -> tuple[float, Vector]:
        nonlocal began
        if len(points) == len(values):
            if len(values) == known:
                began = perf_counter()
            elif perf_counter() - began >= PATIENCE:
                raise _Enough
            value, gradient = evaluate(y.copy())
            held.add("value", value)
            held.append("gradient", gradient)
            values.append(value)
            slopes.append(gradient)
        points.append(y.copy())
        return -values[len(points) - 1], -slopes[len(points) - 1].astype(np.float64)

    # No tolerances: the source's measure is a number of iterations.
    options: Any = {"maxiter": iterations, "ftol": 0.0, "gtol": 0.0}
    end: Any = minimize(downhill, start, jac=True, method="L-BFGS-B", bounds=Bounds(-box, box), options=options)
    best = int(np.argmax(values[: len(points)]))
    slope = np.abs(_inward(points[best], slopes[best].astype(np.float64), box)).max()
    at_edge = float(np.mean(np.abs(points[best]) >= box * (1 - EDGE)))
    flat = slope <= 1e-6 * np.abs(slopes[0]).max()
    return Maximum(float(values[best]), points[best], int(end.nit), len(points), at_edge, bool(flat))


def _inward(point: Vector, slope: Vector, box: Vector) -> Vector:
    """The slope without what would lead out of the box."""
    blocked = (np.abs(point) >= box * (1 - EDGE)) & (point * slope > 0)
    return np.where(blocked, 0.0, slope)
