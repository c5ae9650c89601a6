"""Optimizers whose step is scaled layer by layer, for large batches: LARS and LAMB.

The scale of a layer (the trust ratio) compares the norm of its weights with that of its gradient or step. Biases and
the scale and shift of a normalisation (one dimension or none) keep the ratio 1 and do not decay.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from batchlab.optimizers.base import BaseOptimizer, Betas, Decay, Positives, one

if TYPE_CHECKING:
    import torch


class Lars(BaseOptimizer):
    """Layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017): momentum, each layer at a rate of its own.

    With the weights w of a layer, their gradient g, the decay b and d = g + b w, the ratio is `trust * |w|` over

    - paper: `|g| + b |w|`;
    - optax: `|d|`, as optax.lars has it;
    - torch: `|g|`, as the LARS of pytorch_optimizer has it.

    In the first two the velocity holds the rate, `v = m v + lr * ratio * d; w -= v`; in the third it does not,
    `v = m v + ratio * d; w -= lr v`. A norm of 0 gives the ratio 1. The result declares the variant.
    """

    kind: Literal["lars"] = "lars"
    has_momentum: ClassVar[bool] = True
    variant: Literal["paper", "optax", "torch"] = "paper"
    """Which of the three forms."""
    trust: Positives = 0.001
    """The trust coefficient."""
    weight_decay: Decay = 0.0
    """Decay of the weights, inside the ratio's step."""
    momentum_correction: bool = True
    """Whether a velocity that holds the rate is rescaled where the rate changes, `m * (lr / previous lr) * v`, so that
    it stays a sum of gradients (Goyal et al. 2017, remark 2); the papers of LARS do without."""

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        trust, decay = one(self.trust), one(self.weight_decay)
        from batchlab.optimizers.arithmetic.lars import LARS

        return LARS(
            params, lr, momentum=momentum or 0.0, weight_decay=decay, trust=trust, variant=self.variant,
            correction=self.momentum_correction,
        )  # fmt: skip


class Lamb(BaseOptimizer):
    """Adam's step, scaled layer by layer to the norm of the weights (You et al. 2020).

    With Adam's moments m and v: `u = m / (sqrt(v) + eps) + weight_decay * w; w -= lr * |w| / |u| * u`.

    - paper: the moments corrected for their start at 0 (also optax.lamb);
    - torch: not corrected, and |w| taken as at most 10 (the paper's third version; pytorch-lamb).

    A norm of 0 gives the ratio 1. The result declares the variant.
    """

    kind: Literal["lamb"] = "lamb"
    variant: Literal["paper", "torch"] = "paper"
    """Which of the two forms."""
    beta1: Betas = 0.9
    beta2: Betas = 0.999
    eps: Positives = 1e-6
    weight_decay: Decay = 0.01
    """Decay of the weights, inside the ratio's step."""

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        betas, eps, decay = (one(self.beta1), one(self.beta2)), one(self.eps), one(self.weight_decay)
        from batchlab.optimizers.arithmetic.lamb import LAMB

        return LAMB(params, lr, betas=betas, eps=eps, weight_decay=decay, variant=self.variant)
