"""Further gradients at the weights of an evaluation, which leave no trace in the training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from batchlab import streams

if TYPE_CHECKING:
    from batchlab.engines.layout import Rows
    from batchlab.engines.task import Task

EACH = 1024
"""Draws that one evaluation may take."""


def variance(task: "Task", batches: int) -> dict[str, Tensor]:
    """What `batchlab.evaluation_probes.GradientVariance` measures, by `batches` batches of the cell's size."""
    with _untouched(task):
        full = _gradient(task, slice(None))
        length = torch.linalg.vector_norm(full)
        apart, agreed = torch.zeros_like(length), torch.zeros_like(length)
        for number in range(batches):
            one = _gradient(task, _drawn(task, number))
            apart += (one - full).square().sum()
            agreed += one @ full / (torch.linalg.vector_norm(one) * length)
    return {"grad_variance": apart / batches, "grad_agreement": agreed / batches, "full_grad_norm": length}


@contextmanager
def _untouched(task: "Task") -> Iterator[None]:
    """Give the task its gradients and its network's running averages back."""
    batch, gradients = task.batch, [p.grad for p in task.params]
    buffers = [buffer.clone() for buffer in task.net.buffers()]
    yield
    task.batch = batch
    for p, gradient in zip(task.params, gradients, strict=True):
        p.grad = gradient
    with torch.no_grad():
        for buffer, before in zip(task.net.buffers(), buffers, strict=True):
            buffer.copy_(before)


def _gradient(task: "Task", rows: "Rows") -> Tensor:
    task.backward(rows)
    return task.gradient()


def _drawn(task: "Task", number: int) -> Tensor:
    """The rows of a batch, drawn without replacement."""
    cell, draw = task.cell, task.update * EACH + number
    chosen = streams.generator(cell.seed, "probe", draw).choice(cell.rows, cell.batch_size, replace=False)
    return torch.from_numpy(chosen).to(task.device)
