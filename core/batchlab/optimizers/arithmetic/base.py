"""The step of an optimizer that moves one parameter after the other."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Stepwise(Optimizer):
    """A subclass says how one parameter moves; its memory is the tensors in `self.state[p]`."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; returns what the closure gives."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.move(p, p.grad, group, self.state[p])
        return loss

    @abstractmethod
    def move(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Tensor]) -> None:
        """Change the parameter and its memory in place; `grad` is left as it is."""


def trust_ratio(weights: Tensor, step: Tensor, coefficient: float = 1.0) -> Tensor:
    """coefficient * |w| / |step| of two norms, and 1 where either is 0: scalars on the device, not waited for."""
    return torch.where((weights > 0) & (step > 0), coefficient * weights / step, 1.0)
