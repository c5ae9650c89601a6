"""The loss (and accuracy) at many weights: the points of a grid, of a line or of a curve."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import vmap

from batchlab.analyses.base import Held, Work
from batchlab.analyses.problem import Problem
from batchlab.engines.task import Table

Vector = NDArray[np.float64]
SMALL = 2**20
"""Rows times weights of the points that are taken at once. Where a single point is more work than that, one matrix
product for all (vmap) is slower than one after the other (measured on a CPU: docs/decisions/0013)."""
MOST_AT_ONCE = 64


@dataclass(frozen=True)
class Heights:
    """At each point: mean loss of the rows, its standard error (as a sample of many), accuracy (NaN in regression)."""

    loss: Vector
    error: Vector
    accuracy: Vector


def heights(
    problem: Problem, points: int, at: Callable[[int], Tensor], held: Held, tables: Mapping[str, Table]
) -> Work[dict[str, Heights]]:
    """The heights of the weights `at(0)` .. `at(points - 1)`, by name of the table whose rows are taken.

    A piece takes one point, or several at once for small networks. Where statistics of normalisation are to be
    re-estimated, they are, at every point.
    """
    group = _at_once(problem, max(map(len, tables.values())))
    for first in range(len(held.series("heights")) * group, points, group):
        here = torch.stack([at(i) for i in range(first, min(first + group, points))])
        problem.settle(here[0])  # does something only where points are taken one by one
        held.append("heights", np.stack([_judged(problem, here, table) for table in tables.values()]))
        yield (first + len(here)) / points
    columns = np.concatenate(held.series("heights"), axis=1)
    return {name: Heights(*columns[i].T) for i, name in enumerate(tables)}


def _at_once(problem: Problem, rows: int) -> int:
    return 1 if problem.norms() else max(1, min(MOST_AT_ONCE, SMALL // (rows * problem.n)))


def _judged(problem: Problem, points: Tensor, table: Table) -> NDArray[np.float64]:
    """Loss, its standard error and accuracy of each point: (points, 3)."""
    judged = _one_by_one(problem, points, table) if len(points) == 1 else _together(problem, points, table)
    return np.array([[float(losses.mean()), _error(losses), float(right.mean())] for losses, right in judged])


def _one_by_one(problem: Problem, points: Tensor, table: Table) -> Iterator[tuple[Tensor, Tensor]]:
    return (problem.judged(w, table) for w in points)


@torch.no_grad()
def _together(problem: Problem, points: Tensor, table: Table) -> Sequence[tuple[Tensor, Tensor]]:
    losses, right = [], []
    for part in problem.parts(table):
        outputs = vmap(problem.outputs, (0, None))(points, part.x)
        losses.append(torch.stack([problem.criterion(o, part.targets).double() for o in outputs]))
        hits = torch.full_like(losses[-1], torch.nan) if part.classes is None else outputs.argmax(2) == part.classes
        right.append(hits.double())
    return list(zip(torch.cat(losses, 1), torch.cat(right, 1), strict=True))


def _error(losses: Tensor) -> float:
    return float(losses.std() / len(losses) ** 0.5) if len(losses) > 1 else float("nan")
