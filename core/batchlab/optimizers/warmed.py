"""RMSprop warm-up: RMSprop's steps at first, those of SGD with momentum in the end."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from batchlab.optimizers.base import Betas, Decaying, Positives, one

if TYPE_CHECKING:
    import torch

Ramp = Literal["continuous", "literal"]


def sgd_share(epoch: float, center: float, period: float, variant: Ramp = "continuous") -> float:
    """The part of the step that is SGD's, after `epoch` passes over the data (Akiba et al. 2017, section 3.1).

    `exp(2 (e - center) / period) / 2` up to `center`, a line for half a period, then 1. The line as printed, with the
    slope 2 / period (literal), passes 1 and jumps back to it; with half that slope (continuous) it joins both sides.
    """
    if epoch < center:
        return 0.5 * math.exp(2 * (epoch - center) / period)
    slope = (2 if variant == "literal" else 1) / period
    return 0.5 + slope * (epoch - center) if epoch < center + period / 2 else 1.0


class RmspropWarmup(Decaying):
    """From RMSprop to SGD with momentum, by epochs (Akiba, Suzuki & Fukuda 2017).

    `s = alpha s + (1 - alpha) g^2; d = m d - (a + b / (sqrt(s) + eps)) g; w += lr d`, where a is the share of SGD,
    which rises from nearly 0 to 1 around the epoch `center`, and `b = (1 - a) * rms_lr / lr`. Coupled weight decay. In
    the paper the momentum is 0.9, and the rate starts slowly and falls, by a schedule. The result declares the variant.
    """

    kind: Literal["rmsprop_warmup"] = "rmsprop_warmup"
    has_momentum: ClassVar[bool] = True
    follows_epochs: ClassVar[bool] = True
    variant: Ramp = "continuous"
    """How the share of SGD rises from 0.5 to 1: on a line that joins both sides, or as printed, beyond 1 and back."""
    alpha: Betas = 0.99
    """What the running mean of squared gradients keeps at each update."""
    eps: Positives = 1e-8
    rms_lr: Positives = 3e-4
    """The rate of RMSprop's part."""
    center: Positives = 10.0
    """Epochs after which half of the step is SGD's."""
    period: Positives = 5.0
    """Epochs that set how fast the share rises."""

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        numbers = {name: one(value) for name, value in self.numbers().items()}
        from batchlab.optimizers.arithmetic.rmsprop_warmup import RMSpropWarmup

        return RMSpropWarmup(self.groups(params), lr, momentum=momentum or 0.0, variant=self.variant, **numbers)
