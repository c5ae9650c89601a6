"""LARS in three forms: see `batchlab.optimizers.layerwise.Lars` for the formulas."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from batchlab.optimizers.arithmetic.base import Stepwise, trust_ratio

norm = torch.linalg.vector_norm


class LARS(Stepwise):
    """Layer-wise adaptive rate scaling with momentum (You et al. 2017)."""

    def __init__(
        self, params: ParamsT, lr: float, *, momentum: float, weight_decay: float, trust: float, variant: str,
        correction: bool,
    ) -> None:  # fmt: skip
        self.variant, self.correction = variant, correction and variant != "torch"
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust})

    def move(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Tensor]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        direction = self._direction(p, grad, group)
        before, after = (lr, 1.0) if self.variant != "torch" else (1.0, lr)
        velocity = state.setdefault("velocity", torch.zeros_like(p))
        velocity.mul_(momentum * self._corrected(lr, state)).add_(direction, alpha=before)
        p.sub_(velocity, alpha=after)

    def _direction(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> Tensor:
        """The gradient with decay, times the layer's ratio; of a bias or a norm's parameter, the gradient."""
        if p.ndim <= 1:
            return grad
        decay, weights = group["weight_decay"], norm(p)
        decayed = grad.add(p, alpha=decay)
        forms = {"paper": lambda: norm(grad) + decay * weights, "optax": lambda: norm(decayed)}
        below = forms.get(self.variant, lambda: norm(grad))()
        return decayed * trust_ratio(weights, below, group["trust"])

    def _corrected(self, lr: float, state: dict[str, Tensor]) -> float:
        """lr / previous lr (Goyal et al. 2017, eq. 10); 1 after the rate 0, when the velocity is 0, too."""
        if not self.correction:
            return 1.0
        previous = float(state.get("rate", torch.tensor(0.0)))
        state["rate"] = torch.tensor(lr, dtype=torch.float64)
        return lr / previous if previous > 0 else 1.0
