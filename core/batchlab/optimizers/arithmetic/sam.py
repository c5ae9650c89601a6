"""SAM and ASAM: see `batchlab.optimizers.sharpness` for the formulas."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

LEAST_NORM = 1e-12
"""Keeps a gradient of 0 from being divided by."""


class SAM(torch.optim.SGD):
    """SGD by the gradient at nearby weights; adaptive (ASAM) where `eta` is given."""

    def __init__(
        self, params: ParamsT, lr: float, momentum: float, weight_decay: float, *, nesterov: bool, rho: float,
        eta: float | None = None,
    ) -> None:  # fmt: skip
        self.rho, self.eta = rho, eta
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move by the gradient that `closure` leaves at the weights nearby; needs that of the weights themselves."""
        if closure is None:
            raise TypeError("a step needs a closure that leaves the gradient in the parameters")
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.detach().clone() for p in params]
        self._climb(params)
        with torch.enable_grad():
            loss = closure()
        with torch.no_grad():
            for p, value in zip(params, before, strict=True):
                p.copy_(value)
        super().step()
        return loss

    @torch.no_grad()
    def _climb(self, params: list[Tensor]) -> None:
        """To where the loss is worst within the neighbourhood, to first order."""
        scales = [torch.ones_like(p) if self.eta is None else p.abs() + self.eta for p in params]
        climbs = [scale * p.grad for scale, p in zip(scales, params, strict=True) if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(climb) for climb in climbs]))
        for p, scale, climb in zip(params, scales, climbs, strict=True):
            p.add_(scale * climb * (self.rho / (norm + LEAST_NORM)))
