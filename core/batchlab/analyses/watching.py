"""Analyses of a network while it trains, all at once: what the probes at evaluations measure."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from batchlab.analyses.base import Held, finish
from batchlab.analyses.edge import edge, per_mean
from batchlab.analyses.lanczos import ends, lanczos
from batchlab.analyses.noise import per_example
from batchlab.analyses.operators import Curvature
from batchlab.analyses.problem import Problem
from batchlab.engines.task import Task
from batchlab.errors import DataError


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


def noise_scale(task: Task, rows: int | None, blocks: int) -> dict[str, Tensor]:
    """The noise scale with its standard error, and the scatter and signal that it is the ratio of."""
    with _looking(task, rows) as problem:
        found = finish(per_example(problem, problem.weights, blocks, Held({})))
    return _tensors(
        noise_scale=found.scale,
        noise_scale_error=found.scale_error,
        gradient_scatter=found.scatter,
        gradient_signal=found.signal,
    )


def _tensors(**values: float) -> dict[str, Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
