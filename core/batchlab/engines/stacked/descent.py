"""The optimizers over a stack: matrices (K, P), with every number of a cell's own, in the arithmetic of torch.optim."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.engines.stacked.stack import Stack
from batchlab.optimizers import AdamW, Sgd

Numbers = NDArray[np.float64]


class Rule(ABC):
    """What turns gradients into steps; `memory` is kept from one update to the next, by name, each (K, P)."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.memory: dict[str, Tensor] = {}
        self._decay = self._decays()

    def _decays(self) -> Tensor | None:
        """Weight decay of each cell and parameter, (K, 1) or (K, P); None where nothing decays."""
        decay = self._of_cells("weight_decay")
        if not decay.any():
            return None
        if self._stack.cells[0].optimizer.decay_on == "all":
            return decay
        sizes = zip(self._stack.shapes.values(), self._stack.sizes, strict=True)
        return decay * torch.cat([decay.new_full((size,), float(len(shape) > 1)) for shape, size in sizes])

    def _of_cells(self, name: str) -> Tensor:
        """A number of every cell's optimizer, (K, 1)."""
        return self._column([getattr(cell.optimizer, name) for cell in self._stack.cells])

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self._stack.dtype, device=self._stack.device)[:, None]

    def _empty(self) -> Tensor:
        return torch.zeros_like(self._stack.weights)

    @abstractmethod
    def numbers(self, done: Numbers, rates: Numbers, momenta: Numbers) -> list[Numbers]:
        """What the steps after `done` (n,) updates take that changes in time: each (n, K), from such rates, momenta."""

    @abstractmethod
    def step(self, weights: Tensor, gradient: Tensor, numbers: Tensor, alive: Tensor) -> Tensor:
        """The weights after the update, (K, P); `numbers` (how many, K, 1) are those of the update, and cells that are
        not `alive` (K, 1) stay where they are. `memory` is changed in place or anew."""


class Descent(Rule):
    """`torch.optim.SGD`: heavy ball or Nesterov. Where the momentum is 0 the velocity is neither used nor moved."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._nesterov = bool(stack.cells[0].optimizer.nesterov)
        if any(cell.momentum for cell in stack.cells):
            self.memory["velocity"] = self._empty()

    def numbers(self, done: Numbers, rates: Numbers, momenta: Numbers) -> list[Numbers]:
        moving = momenta > 0
        return [rates, momenta, moving.astype(np.float64), np.where(moving, momenta, 1.0)]

    def step(self, weights: Tensor, gradient: Tensor, numbers: Tensor, alive: Tensor) -> Tensor:
        rate, momentum, moving, kept = numbers
        if self._decay is not None:
            gradient = torch.addcmul(gradient, weights, self._decay)
        moves = gradient
        if self.memory:
            velocity = self.memory["velocity"].mul_(kept).addcmul_(gradient, moving)
            ahead = torch.addcmul(gradient, velocity, momentum) if self._nesterov else velocity
            moves = torch.where(moving > 0, ahead, gradient)
        return torch.where(alive, torch.addcmul(weights, moves, rate, value=-1.0), weights)


class Moments(Rule):
    """`torch.optim.Adam` and `AdamW`: the first with coupled decay, the other with decoupled."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._decoupled = isinstance(stack.cells[0].optimizer, AdamW)
        self._betas = [np.array([getattr(cell.optimizer, name) for cell in stack.cells]) for name in ("beta1", "beta2")]
        self._first, self._second = (self._column((1.0 - beta).tolist()) for beta in self._betas)
        self._beta2, self._eps = self._of_cells("beta2"), self._of_cells("eps")
        self.memory |= {"mean": self._empty(), "square": self._empty()}

    def numbers(self, done: Numbers, rates: Numbers, momenta: Numbers) -> list[Numbers]:
        corrections = [1.0 - beta ** (done[:, None] + 1.0) for beta in self._betas]
        return [rates, rates / corrections[0], np.sqrt(corrections[1])]

    def step(self, weights: Tensor, gradient: Tensor, numbers: Tensor, alive: Tensor) -> Tensor:
        rate, size, root = numbers
        if self._decay is not None and not self._decoupled:
            gradient = torch.addcmul(gradient, weights, self._decay)
        mean = self.memory["mean"].lerp_(gradient, self._first)
        square = self.memory["square"].mul_(self._beta2).addcmul_(gradient * self._second, gradient)
        taken = (mean / square.sqrt().div_(root).add_(self._eps)).mul_(size)
        if self._decay is not None and self._decoupled:
            taken.addcmul_(weights, self._decay * rate)
        return torch.where(alive, weights - taken, weights)


def rule(stack: Stack) -> Rule:
    """The rule of the stack's optimizer; on a GPU, what fuses its operations."""
    if stack.device.type == "cuda":
        from batchlab.engines.stacked import fused

        return fused.rule(stack)
    return Descent(stack) if isinstance(stack.cells[0].optimizer, Sgd) else Moments(stack)
