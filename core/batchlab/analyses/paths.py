"""Paths between two networks: straight, bent in one point, on an arc; and the barrier on the way.

The bend of a Bezier curve or of a polygonal chain is trained so that the mean loss along the path is small
(Garipov et al. 2018; Draxler et al. 2018 find the same by another method).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab import streams
from batchlab.analyses.base import Held, Work
from batchlab.analyses.problem import Problem, cut

Curve = Literal["line", "sine"]
Bent = Literal["bezier", "polygon"]
Path = Callable[[float], Tensor]
"""The weights at t: at 0 those of one end, at 1 those of the other."""
PIECE = 20
"""Updates of the bend that are one piece of work."""


def straight(first: Tensor, last: Tensor) -> Path:
    """(1 - t) w1 + t w2."""
    return lambda t: (1.0 - t) * first + t * last


def sine(first: Tensor, last: Tensor) -> Path:
    """cos(t pi / 2) w1 + sin(t pi / 2) w2 (Keskar et al. 2017, figure 4)."""
    return lambda t: float(np.cos(t * np.pi / 2)) * first + float(np.sin(t * np.pi / 2)) * last


def parts_of(shape: Bent, t: float) -> tuple[float, float, float]:
    """How much of the first end, of the bend and of the last end the path at t consists of.

    Bezier: (1 - t)^2, 2 t (1 - t), t^2. Polygon: 1 - 2 t, 2 t, 0 up to the middle, then 0, 2 - 2 t, 2 t - 1.
    """
    if shape == "bezier":
        return (1 - t) ** 2, 2 * t * (1 - t), t**2
    return (1 - 2 * t, 2 * t, 0.0) if t <= 0.5 else (0.0, 2 - 2 * t, 2 * t - 1)


def bent(shape: Bent, first: Tensor, bend: Tensor, last: Tensor) -> Path:
    """The path with this bend."""

    def at(t: float) -> Tensor:
        a, b, c = parts_of(shape, t)
        return a * first + b * bend + c * last

    return at


def train_bend(
    problem: Problem,
    shape: Bent,
    first: Tensor,
    last: Tensor,
    *,
    steps: int,
    lr: float,
    momentum: float,
    batch: int,
    seed: int,
    held: Held,
) -> Work[Tensor]:
    """The bend after `steps` updates that lower E_t L(path(t)), t uniform in 0 .. 1; it begins halfway.

    SGD with momentum; the rate is constant for half the steps and falls to a hundredth of it until nine tenths.
    Normalisation is by each batch, as in training.
    """
    if "done" not in held:
        held["done"], held["bend"] = 0, ((first + last) / 2).cpu().numpy()
        held["velocity"] = np.zeros_like(held["bend"])
    while int(held["done"]) < steps:
        bend, velocity, done = problem.tensor(held["bend"]), problem.tensor(held["velocity"]), int(held["done"])
        until = min(done + PIECE, steps)
        for step in range(done, until):
            t = float(streams.generator(seed, "path", step).uniform())
            rows = torch.from_numpy(batch_rows(problem.rows, min(batch, problem.rows), seed, step)).to(problem.device)
            with problem.normalising_by_batch():
                _, slope = problem.gradient(bent(shape, first, bend, last)(t), cut(problem.table, rows))
            velocity = momentum * velocity + parts_of(shape, t)[1] * slope
            bend = bend - lr * falling(step / steps) * velocity
        held["bend"], held["velocity"], held["done"] = bend.cpu().numpy(), velocity.cpu().numpy(), until
        yield until / steps
    return problem.tensor(held["bend"])


def falling(share: float) -> float:
    """The rate's factor after this share of the steps: 1 to a half, then linear to 0.01 at nine tenths.

    >>> [round(falling(e), 4) for e in (0.0, 0.7, 0.9)]
    [1.0, 0.505, 0.01]
    """
    return float(np.interp(share, [0.5, 0.9], [1.0, 0.01]))


def batch_rows(n: int, batch: int, seed: int, step: int) -> streams.Rows:
    """The rows of an update: each pass over them has its own order, whose rest is left out."""
    epoch, place = divmod(step, n // batch)
    return streams.permutation(n, seed, "order", epoch)[place * batch : (place + 1) * batch]


def barrier(t: NDArray[np.float64], loss: NDArray[np.float64]) -> float:
    """max over 0 <= t <= 1 of L(t) - ((1 - t) L(0) + t L(1)): how far the loss rises above the straight line between
    the ends' own losses (Frankle et al. 2020). `t` must hold 0 and 1; never negative."""
    ends = [float(loss[np.flatnonzero(t == end)[0]]) for end in (0.0, 1.0)]
    inside = (t >= 0) & (t <= 1)
    return float((loss - ((1 - t) * ends[0] + t * ends[1]))[inside].max())


def length(path: Path, t: NDArray[np.float64]) -> float:
    """The length of a path through its points at `t`."""
    points = [path(float(at)) for at in t]
    return float(sum((b - a).double().norm() for a, b in pairwise(points)))
