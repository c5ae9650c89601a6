"""From the gradient of a batch to an update: the optimizer's step, with whatever further gradients it takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from batchlab.engines.task import Task


def stepper(task: "Task") -> Callable[[], Any]:
    """What takes the update, once `task.backward` has left the gradient of the batch in the parameters."""
    cell, step = task.cell, plain_step(task.optimizer)
    if cell.clip is None and cell.proximal is None and not cell.optimizer.looks_again:
        return step
    return Steps(task, step)


class Steps:
    """The inner steps of an update: one, or as many as conservative training takes, each with its gradients.

    The weights at which an update began are needed within it alone, so nothing of this is part of a snapshot.
    """

    def __init__(self, task: "Task", step: Callable[..., Any]) -> None:
        self._task, self._step = task, step
        self._proximal, self._clip = task.cell.proximal, task.cell.clip

    def __call__(self) -> None:
        """Take the update by the gradient that is there."""
        if self._proximal is not None:
            self._anchor = [p.detach().clone() for p in self._task.params]
        self._inner()
        for _ in range(1, self._proximal.inner if self._proximal is not None else 1):
            self._gradient()
            self._inner()

    def _inner(self) -> None:
        """One step of the optimizer; one that looks again gets its second gradient cut, not its first."""
        if self._task.cell.optimizer.looks_again:
            self._step(self._second_gradient)
        else:
            self._cut()
            self._step()

    def _second_gradient(self) -> None:
        self._gradient()
        self._cut()

    def _gradient(self) -> None:
        """Leave the gradient of the same batch at the weights as they are now."""
        with kept_buffers(self._task.net):
            self._task.backward(self._task.batch)
        if self._proximal is not None:
            self._proximal.pull(self._task.params, self._anchor)

    def _cut(self) -> None:
        if self._clip is not None:
            self._clip.cut(self._task.params)


@contextmanager
def kept_buffers(net: nn.Module) -> Iterator[None]:
    """Passes that move no running statistics: those are of the rows at the weights of the update alone."""
    kept = [(buffer, buffer.clone()) for buffer in net.buffers()]
    yield
    for buffer, value in kept:
        buffer.data.copy_(value)  # not in place as autograd sees it: a pass that is still to go back holds the buffer


def plain_step(optimizer: torch.optim.Optimizer) -> Callable[..., Any]:
    """The optimizer's step without the profiler's wrapper, which is a fifth of a small update."""
    step = type(optimizer).step
    return partial(getattr(step, "__wrapped__", step), optimizer)


def backward(loss: Tensor) -> None:
    """`loss.backward()` without what torch does around it for its compiler and its log: a quarter of a small update."""
    _RUN((loss,), (torch.ones_like(loss),), False, False, (), allow_unreachable=True, accumulate_grad=True)


_RUN: Any = torch.autograd.Variable._execution_engine.run_backward
