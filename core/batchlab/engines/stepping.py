"""From the gradient of a batch to an update: the optimizer's step, with whatever further gradients it takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from batchlab.engines.task import Task


def stepper(task: "Task") -> Callable[[], Any]:
    """What takes the update, once `task.backward` has left the gradient of the batch in the parameters."""
    step = plain_step(task.optimizer)
    return partial(step, partial(gradient_again, task)) if task.cell.optimizer.looks_again else step


def gradient_again(task: "Task") -> None:
    """Leave the gradient of the same batch at the weights as they are now."""
    with kept_buffers(task.net):
        task.backward(task.batch)


@contextmanager
def kept_buffers(net: nn.Module) -> Iterator[None]:
    """Passes that move no running statistics: those are of the rows at the weights of the update alone."""
    kept = [(buffer, buffer.clone()) for buffer in net.buffers()]
    yield
    with torch.no_grad():
        for buffer, value in kept:
            buffer.copy_(value)


def plain_step(optimizer: torch.optim.Optimizer) -> Callable[..., Any]:
    """The optimizer's step without the profiler's wrapper, which is a fifth of a small update."""
    step = type(optimizer).step
    return partial(getattr(step, "__wrapped__", step), optimizer)
