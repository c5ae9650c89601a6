"""RMSprop warm-up: see `batchlab.optimizers.warmed.RmspropWarmup` for the formulas."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from batchlab.optimizers.arithmetic.base import Stepwise
from batchlab.optimizers.warmed import Ramp, sgd_share


class RMSpropWarmup(Stepwise):
    """From RMSprop to SGD with momentum (Akiba et al. 2017); `epoch` in each group is set before every update."""

    def __init__(self, params: ParamsT, lr: float, *, variant: Ramp, **numbers: float) -> None:
        self.variant: Ramp = variant
        super().__init__(params, {"lr": lr, "epoch": 0.0, **numbers})

    def move(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Tensor]) -> None:
        if not state:
            state |= {"square_avg": torch.zeros_like(p), "velocity": torch.zeros_like(p)}
        square, velocity, alpha = state["square_avg"], state["velocity"], group["alpha"]
        grad = grad.add(p, alpha=group["weight_decay"])
        square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        sgd, rms = self.shares(group)
        velocity.mul_(group["momentum"]).sub_(grad * (sgd + rms / (square.sqrt() + group["eps"])))
        p.add_(velocity, alpha=group["lr"])

    def shares(self, group: dict[str, Any]) -> tuple[float, float]:
        """The factors of SGD's and RMSprop's parts; at the rate 0 nothing moves, and RMSprop's is 0."""
        sgd = sgd_share(group["epoch"], group["center"], group["period"], self.variant)
        return sgd, (1 - sgd) * group["rms_lr"] / group["lr"] if group["lr"] > 0 else 0.0
