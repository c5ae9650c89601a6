"""Curvature matrices that are never written down: the Hessian and the Gauss-Newton matrix, by their products.

    H v = d/dw (dL/dw . v),      G v = J' (d2 loss / d outputs2) J v       (Pearlmutter 1994; Schraudolph 2002)

Both are means over rows: each part of the rows adds the sum over its own, so that uneven parts are weighted rightly.
Sums over parts are float64.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor

from batchlab.analyses.problem import Problem
from batchlab.engines.task import Table

Matrix = Literal["hessian", "gauss_newton"]


class Operator(Protocol):
    """A symmetric n x n matrix known by its products with vectors, (n,)."""

    n: int

    def __call__(self, v: Tensor) -> Tensor:
        """The matrix times `v`."""


class Curvature:
    """The curvature of a problem's loss at `w`, or its diagonal block of the parameters in `block`."""

    def __init__(self, problem: Problem, w: Tensor, matrix: Matrix = "hessian", block: slice = slice(None)) -> None:
        self._problem, self._block = problem, block
        self._before, self._inside = w[: block.start or 0], w[block].detach()
        self._after = w[len(w) if block.stop is None else block.stop :]
        self._product = {"hessian": self._hessian, "gauss_newton": self._gauss_newton}[matrix]
        self.n = len(self._inside)

    def __call__(self, v: Tensor) -> Tensor:
        """The matrix times `v`: (n,), in the problem's precision."""
        total = torch.zeros(self.n, dtype=torch.float64, device=v.device)
        for part in self._problem.parts():
            total += self._product(part, v)
        return (total / self._problem.rows).to(v.dtype)

    def _weights(self, inside: Tensor) -> Tensor:
        return torch.cat([self._before, inside, self._after])

    def _hessian(self, part: Table, v: Tensor) -> Tensor:
        at = self._inside.clone().requires_grad_()
        loss = self._problem.row_losses(self._weights(at), part).sum()
        (slope,) = torch.autograd.grad(loss, at, create_graph=True)
        if not slope.requires_grad:  # linear in these weights
            return torch.zeros_like(v)
        return torch.autograd.grad(slope, at, v)[0]

    def _gauss_newton(self, part: Table, v: Tensor) -> Tensor:
        at = self._inside.clone().requires_grad_()
        outputs = self._problem.outputs(self._weights(at), part.x)
        # J v without forward-mode differentiation: J' u is linear in u, and its derivative by u along v is J v.
        u = torch.zeros_like(outputs, requires_grad=True)
        (pulled,) = torch.autograd.grad(outputs, at, u, create_graph=True)
        (moved,) = torch.autograd.grad(pulled, u, v, retain_graph=True)
        curved = _second(lambda o: self._problem.criterion(o, part.targets).sum(), outputs, moved)
        return torch.autograd.grad(outputs, at, curved)[0]


def _second(loss: Callable[[Tensor], Tensor], at: Tensor, v: Tensor) -> Tensor:
    """The Hessian of `loss` at `at`, times `v`."""
    at = at.detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(at), at, create_graph=True)
    return torch.autograd.grad(slope, at, v)[0]


def blocks(problem: Problem) -> dict[str, slice]:
    """Where the parameters of each layer lie in the flat vector, by the layer's name."""
    found: dict[str, slice] = {}
    first = 0
    for name, size in zip(problem.names, problem.sizes, strict=True):
        layer = name.rpartition(".")[0] or name
        found[layer] = slice(found[layer].start if layer in found else first, first + size)
        first += size
    return found
