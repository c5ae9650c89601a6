"""LAMB in two forms: see `batchlab.optimizers.layerwise.Lamb` for the formulas."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from batchlab.optimizers.arithmetic.base import Stepwise, trust_ratio

MOST_NORM = 10.0
"""What the norm of a layer's weights counts at most in the form without bias correction."""


class LAMB(Stepwise):
    """Adam's step scaled to the norm of each layer's weights (You et al. 2020, algorithm 2)."""

    def __init__(
        self, params: ParamsT, lr: float, *, betas: tuple[float, float], eps: float, weight_decay: float, variant: str
    ) -> None:
        self.variant = variant
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def move(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Tensor]) -> None:
        step = self._moments(grad, group, state)
        if p.ndim <= 1:
            p.sub_(step, alpha=group["lr"])
            return
        step.add_(p, alpha=group["weight_decay"])
        weights = torch.linalg.vector_norm(p)
        if self.variant == "torch":
            weights = weights.clamp(max=MOST_NORM)
        p.sub_(step * trust_ratio(weights, torch.linalg.vector_norm(step)), alpha=group["lr"])

    def _moments(self, grad: Tensor, group: dict[str, Any], state: dict[str, Tensor]) -> Tensor:
        """Adam's step of this update before rate and decay."""
        if not state:
            state |= {"step": torch.zeros(()), "exp_avg": torch.zeros_like(grad), "exp_avg_sq": torch.zeros_like(grad)}
        beta1, beta2 = group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        state["step"] += 1
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if self.variant == "paper":
            t = float(state["step"])
            mean, square = mean / (1 - beta1**t), square / (1 - beta2**t)
        return mean / (square.sqrt() + float(group["eps"]))
