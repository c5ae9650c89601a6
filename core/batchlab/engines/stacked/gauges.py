"""What probes need of every update of a stack, taken where gradients and weights are at hand."""

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm

from batchlab.engines.stacked.stack import Stack
from batchlab.probes import FEW, Need


class Gauges:
    """Measures the needs of the stack's probes: for each update a matrix (K, m), m numbers of each cell.

    `memory` is what is kept from one update for what is measured at the next.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        needed = [probe.need for probe in stack.cells[0].probes if probe.need]
        self.needs: list[Need] = list(dict.fromkeys(needed))
        self._start = stack.weights.clone() if "distance" in self.needs else torch.zeros(())
        self.memory: dict[str, Tensor] = {}
        if "change" in self.needs:
            self.memory["log_loss"] = stack.weights.new_full((len(stack),), math.nan)
        if "turn" in self.needs:
            self.memory["gradient"] = torch.full_like(stack.weights, math.nan)

    def widths(self) -> dict[Need, int]:
        """How many columns each need has."""
        size, parameters = sum(self._stack.sizes), len(self._stack.sizes)
        own: dict[Need, int] = {"position": size, "parts": 3 * size if size <= FEW else 3, "turn": 1, "change": 1}
        return {need: own.get(need, parameters) for need in self.needs}

    def take(self, losses: Tensor, gradient: Tensor, weights: Tensor, after: Tensor, rate: Tensor) -> list[Tensor]:
        """The columns of an update (K, all): its losses (K,), its gradient, the weights before and after it."""
        found: list[Tensor] = [losses.detach()[:, None]]
        moved = after - weights if {"update", "parts"} & set(self.needs) else after
        for need in self.needs:
            if need == "gradient":
                found += self._norms(gradient)
            elif need == "parameters":
                found += self._norms(weights)
            elif need == "update":
                found += self._norms(moved)
            elif need == "distance":
                found += self._norms(after - self._start)
            elif need == "position":
                found.append(weights)
            elif need == "parts":
                found += self._parts(gradient * -rate, moved)
            elif need == "turn":
                found.append(self._turn(gradient))
            else:
                found.append(self._change(losses.detach()))
        return found

    def _norms(self, values: Tensor) -> list[Tensor]:
        return [vector_norm(part, dim=1, keepdim=True) for part in torch.split(values, self._stack.sizes, 1)]

    def _parts(self, descent: Tensor, step: Tensor) -> list[Tensor]:
        parts = [descent, step - descent, step]
        if step.shape[1] <= FEW:
            return parts
        return [vector_norm(part, dim=1, keepdim=True) for part in parts]

    def _turn(self, gradient: Tensor) -> Tensor:
        last = self.memory["gradient"]
        lengths = vector_norm(gradient, dim=1) * vector_norm(last, dim=1)
        turn: Tensor = ((gradient * last).sum(1) / lengths)[:, None]
        last.copy_(gradient)
        return turn

    def _change(self, losses: Tensor) -> Tensor:
        last, now = self.memory["log_loss"], losses.log()
        change = (now - last).abs()[:, None]
        last.copy_(now)
        return change
