"""Directions in the space of weights: random ones of comparable length, and those that a trajectory took."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.analyses.problem import Problem

Normalise = Literal["filter", "layer", "none"]
TINY = 1e-10
ON_A_LINE = 1e-6
"""A point this near to a line, relative to its distance from the origin, lies on it."""


def random_direction(problem: Problem, seed: int, number: int, normalise: Normalise) -> Tensor:
    """A normal direction, the same for all networks of one shape, then scaled by this network's weights: (n,).

    `filter`: d_ij *= |w_ij| / (|d_ij| + 1e-10) for each filter (a row of a dense layer); `layer`: the same for each
    weight tensor. Biases and the parameters of normalisation do not move then (Li et al. 2018, section 4).
    """
    direction = problem.random(seed, "direction", number)
    if normalise == "none":
        return direction
    weights, moves = problem.unflatten(problem.weights), problem.unflatten(direction)
    return torch.cat([_scaled(moves[name], w, normalise).flatten() for name, w in weights.items()])


def _scaled(move: Tensor, w: Tensor, normalise: Normalise) -> Tensor:
    if w.ndim <= 1:
        return torch.zeros_like(move)
    wide = tuple(range(1, w.ndim)) if normalise == "filter" else tuple(range(w.ndim))
    own, length = (torch.linalg.vector_norm(t, dim=wide, keepdim=True) for t in (w, move))
    scaled: Tensor = move * (own / (length + TINY))
    return scaled


def cosine(one: Tensor, other: Tensor) -> float:
    """Of the angle between two directions."""
    return float(one.double() @ other.double() / (one.double().norm() * other.double().norm()).clamp_min(1e-300))


@dataclass(frozen=True)
class Plane:
    """The plane in which a trajectory moves most: unit directions (n,), (n,), where each point of the trajectory lies
    in it, relative to the last one: (points, 2), and the share of the variance that each direction explains."""

    axes: tuple[Tensor, Tensor]
    places: NDArray[np.float64]
    explained: tuple[float, float]


def principal_plane(path: Tensor) -> Plane:
    """The first two principal components of w_t - w_last over a path: (points, n), at least three points.

    By the points' products with each other, as they are far fewer than the weights.
    """
    moves = (path - path[-1]).double()
    centred = moves - moves.mean(dim=0)
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    order = [-1, -2]
    axes = [centred.T @ vectors[:, i] for i in order]
    axes = [_signed(axis / axis.norm().clamp_min(1e-300)) for axis in axes]
    places = torch.stack([moves @ axis for axis in axes], dim=1).cpu().numpy()
    total = float(values.clamp_min(0).sum()) or 1.0
    first, second = (float(values[i].clamp_min(0)) / total for i in order)
    return Plane((axes[0].to(path.dtype), axes[1].to(path.dtype)), places, (first, second))


def plane_through(
    first: Tensor, second: Tensor, third: Tensor
) -> tuple[tuple[Tensor, Tensor], NDArray[np.float64]] | None:
    """Unit directions (n,), (n,) of the plane through three points, and where these lie in it, (3, 2).

    The first point is the origin, the second lies on the first axis. None where all lie on one line.
    """
    across, away = (second - first).double(), (third - first).double()
    width = float(across.norm())
    if width == 0.0:
        return None
    x = across / width
    along = float(away @ x)
    rest = away - along * x
    height = float(rest.norm())
    if height <= ON_A_LINE * float(away.norm()):
        return None
    places = np.array([[0.0, 0.0], [width, 0.0], [along, height]])
    return (x.to(first.dtype), (rest / height).to(first.dtype)), places


def _signed(axis: Tensor) -> Tensor:
    """The one of the two opposite directions whose largest coordinate is positive."""
    return axis if axis[axis.abs().argmax()] >= 0 else -axis
