"""Sharpness-aware minimisation: the gradient is taken where the loss is worst nearby. Two gradients an update.

The norms and the loss that are recorded are those of the first gradient, at the weights themselves.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from batchlab.optimizers.base import Decaying, Positives, one

if TYPE_CHECKING:
    import torch


class Sam(Decaying):
    """SGD by the gradient at `w + rho * g / |g|`, g being the batch's gradient at w (Foret et al. 2021).

    The norm is over all parameters together. Momentum and coupled weight decay as in `sgd`.
    """

    kind: Literal["sam"] = "sam"
    has_momentum: ClassVar[bool] = True
    looks_again: ClassVar[bool] = True
    rho: Positives = 0.05
    """How far the second gradient is taken from the weights."""
    nesterov: bool = False

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        rho, decay = one(self.rho), one(self.weight_decay)
        from batchlab.optimizers.arithmetic.sam import SAM

        return SAM(self.groups(params), lr, momentum or 0.0, decay, nesterov=self.nesterov, rho=rho)


class Asam(Decaying):
    """SAM whose neighbourhood is measured against the weights: scaling them changes nothing (Kwon et al. 2021).

    With `t = |w| + eta`, element by element, the second gradient is taken at `w + rho * t^2 g / |t g|`.
    """

    kind: Literal["asam"] = "asam"
    has_momentum: ClassVar[bool] = True
    looks_again: ClassVar[bool] = True
    rho: Positives = 0.5
    """How far the second gradient is taken from the weights, measured against them."""
    eta: Positives = 0.01
    """What keeps weights near 0 from standing still."""
    nesterov: bool = False

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        rho, eta, decay = one(self.rho), one(self.eta), one(self.weight_decay)
        from batchlab.optimizers.arithmetic.sam import SAM

        return SAM(self.groups(params), lr, momentum or 0.0, decay, nesterov=self.nesterov, rho=rho, eta=eta)
