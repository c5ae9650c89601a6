"""Hidden units in the order of another network's: the same function, next to it in the space of weights.

Weight matching (Ainsworth, Hayase & Srinivasa 2023, algorithm 1): layer by layer, the permutation of the hidden units
whose ingoing and outgoing weights agree best with the other network's, until no layer changes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab import streams
from batchlab.analyses.problem import Problem

SWEEPS = 100
"""Passes over the layers, at most: each one raises the agreement, so that few are needed."""
Order = NDArray[np.int64]


def layers(problem: Problem) -> list[list[str]]:
    """The parameters of each dense layer with what scales its units (normalisation), in order."""
    found: list[list[str]] = []
    for name, shape in zip(problem.names, problem.shapes, strict=True):
        if len(shape) == 2:
            found.append([])
        if not found or len(shape) > 2:
            raise ValueError("only networks of dense layers can be aligned")
        found[-1].append(name)
    return found


def aligned(problem: Problem, target: Tensor, w: Tensor, seed: int) -> Tensor:
    """Weights `w` with their hidden units in the order that agrees best with `target`: the same function, (n,)."""
    from scipy.optimize import linear_sum_assignment

    groups = layers(problem)
    there = {name: part.double().cpu().numpy() for name, part in problem.unflatten(target).items()}
    here = {name: part.double().cpu().numpy() for name, part in problem.unflatten(w).items()}
    for sweep in range(SWEEPS):
        changed = False
        for i in streams.permutation(len(groups) - 1, seed, "direction", sweep):
            order = linear_sum_assignment(_agreement(there, here, groups, i), maximize=True)[1]
            changed = changed or bool((order != np.arange(len(order))).any())
            here = _permuted(here, groups, i, order)
        if not changed:
            break
    return problem.tensor(np.concatenate([here[name].ravel() for name in problem.names]))


def _agreement(
    there: dict[str, NDArray[np.float64]], here: dict[str, NDArray[np.float64]], groups: list[list[str]], i: int
) -> NDArray[np.float64]:
    """How well unit b of one network's layer i fits the place of unit a of the other's: (units, units)."""
    after = groups[i + 1][0]
    found = there[after].T @ here[after]
    for name in groups[i]:
        found = found + there[name].reshape(len(found), -1) @ here[name].reshape(len(found), -1).T
    return found


def _permuted(
    weights: dict[str, NDArray[np.float64]], groups: list[list[str]], i: int, order: Order
) -> dict[str, NDArray[np.float64]]:
    """The units of layer i in this order: a row of everything before them, a column of what takes them in."""
    moved = {name: weights[name][order] for name in groups[i]}
    after = groups[i + 1][0]
    return {**weights, **moved, after: weights[after][:, order]}


def distance(one: Tensor, other: Tensor) -> float:
    """Between two vectors of weights."""
    return float(torch.linalg.vector_norm(one.double() - other.double()))
