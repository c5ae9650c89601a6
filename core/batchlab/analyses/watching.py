"""Analyses of a network while it trains, all at once: what the probes at evaluations measure."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from batchlab.analyses.base import Held, finish
from batchlab.analyses.edge import edge, per_mean
from batchlab.analyses.lanczos import ends, lanczos
from batchlab.analyses.noise import Noise, by_groups, per_example
from batchlab.analyses.operators import Curvature
from batchlab.analyses.problem import Problem
from batchlab.engines.task import Task
from batchlab.errors import DataError

NOTHING = Noise(*[float("nan")] * 6)
SPENT = "noise_scale_rows"
"""What is kept of a cell: the rows whose gradients the probe has taken."""


@contextmanager
def _looking(task: Task, rows: int | None) -> Iterator[Problem]:
    """The task's network as it is now, on some training rows; it goes on training afterwards."""
    try:
        yield Problem(task, rows)
    finally:
        task.net.train()


def top_eigenvalue(task: Task, rows: int | None, steps: int, tolerance: float) -> dict[str, Tensor]:
    """The Hessian's largest eigenvalue with its residual, and the edges of the rate that is set."""
    group = task.optimizer.param_groups[0]
    lr, momentum = per_mean(task.cell, float(group["lr"]), _batch_size(task)), float(group.get("momentum", 0.0))
    edges = (edge(lr), edge(lr, momentum)) if lr > 0 else (torch.inf, torch.inf)
    with _looking(task, rows) as problem:
        product = Curvature(problem, problem.weights)
        work = lanczos(product, lambda i: problem.random(0, "direction", i), steps, Held({}), ends(1, 0, tolerance))
        try:
            ritz = finish(work)
            found = float(ritz.values[-1]), float(ritz.residuals[-1])
        except DataError:  # the loss is no longer finite
            found = torch.nan, torch.nan
    return _tensors(lambda_max=found[0], lambda_max_residual=found[1], edge=edges[0], edge_momentum=edges[1])


def _batch_size(task: Task) -> int:
    """The size of the last update's batch; before the first, that of the first.

    An epoch's shorter last batch counts as a whole one, but where sizes are decided on the way: there as what it is.
    """
    cell, update = task.cell, task.update
    if cell.batch_schedule.adaptive and update > 0:
        return len(task.train) if isinstance(task.batch, slice) else len(task.batch)
    return int(cell.batches.sizes(np.array([max(0, update - 1)]))[0])


def noise_scale(task: Task, rows: int | None, blocks: int, group: int, budget: float | None) -> dict[str, Tensor]:
    """The noise scale with its standard error, and the scatter and signal that it is the ratio of; all NaN where the
    budget does not allow it (yet). With the seconds that this took.
    """
    began, found = perf_counter(), NOTHING
    if budget is None or _spend(task, len(task.train) if rows is None else min(rows, len(task.train)), budget):
        with _looking(task, rows) as problem:
            found = _noise(problem, blocks, group)
    return _tensors(
        noise_scale=found.scale,
        noise_scale_error=found.scale_error,
        gradient_scatter=found.scatter,
        gradient_signal=found.signal,
        noise_scale_seconds=perf_counter() - began,
    )


def _noise(problem: Problem, blocks: int, group: int) -> Noise:
    if problem.rows < 3 * group:
        return NOTHING
    if group > 1:
        return by_groups(problem, problem.weights, group, blocks)
    return finish(per_example(problem, problem.weights, blocks, Held({})))


def _spend(task: Task, rows: int, budget: float) -> bool:
    """Whether the gradients of so many rows are within the budget; if so, they are put down as taken.

    Counted in rows, as the clock must not choose what is measured.
    """
    spent = float(task.memory.get(SPENT, torch.zeros(()))) + rows
    if spent > budget * task.seen:
        return False
    task.memory[SPENT] = torch.tensor(spent, dtype=torch.float64)
    return True


def _tensors(**values: float) -> dict[str, Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
