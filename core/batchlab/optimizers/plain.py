"""Optimizers that torch.optim has; the arithmetic is its, in one call for all parameters where it has one (`fused`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from batchlab.optimizers.base import Betas, Decay, Decaying, Positives, one

if TYPE_CHECKING:
    import torch


class Sgd(Decaying):
    """Gradient descent with heavy-ball or Nesterov momentum, the velocity without the rate: `v = m v + g; w -= lr v`.

    Weight decay is coupled: `g + weight_decay * w` (torch.optim.SGD).
    """

    kind: Literal["sgd"] = "sgd"
    has_momentum: ClassVar[bool] = True
    nesterov: bool = False

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        import torch

        decay = one(self.weight_decay)
        return torch.optim.SGD(
            self.groups(params), lr=lr, momentum=momentum or 0.0, nesterov=self.nesterov, weight_decay=decay, fused=True
        )


class Adagrad(Decaying):
    """Steps divided by the root of the sum of all squared gradients: `s += g^2; w -= lr g / (sqrt(s) + eps)`.

    Duchi, Hazan & Singer 2011; coupled weight decay (torch.optim.Adagrad).
    """

    kind: Literal["adagrad"] = "adagrad"
    eps: Positives = 1e-10

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        import torch

        eps, decay = one(self.eps), one(self.weight_decay)
        return torch.optim.Adagrad(self.groups(params), lr=lr, eps=eps, weight_decay=decay)


class RmsProp(Decaying):
    """Steps divided by the root of a running mean of squared gradients, then momentum on the divided gradient.

    `s = alpha s + (1 - alpha) g^2; v = m v + g / (sqrt(s) + eps); w -= lr v` (Tieleman & Hinton 2012); coupled weight
    decay (torch.optim.RMSprop).
    """

    kind: Literal["rmsprop"] = "rmsprop"
    has_momentum: ClassVar[bool] = True
    alpha: Betas = 0.99
    """What the running mean keeps at each update."""
    eps: Positives = 1e-8
    centered: bool = False
    """Whether the running mean of the gradient is taken off: divided by the standard deviation (Graves 2013)."""

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        import torch

        alpha, eps, decay = one(self.alpha), one(self.eps), one(self.weight_decay)
        return torch.optim.RMSprop(
            self.groups(params), lr=lr, alpha=alpha, eps=eps, weight_decay=decay, momentum=momentum or 0.0,
            centered=self.centered,
        )  # fmt: skip


class Adam(Decaying):
    """Adam with bias correction and coupled weight decay (Kingma & Ba 2015; torch.optim.Adam)."""

    kind: Literal["adam"] = "adam"
    beta1: Betas = 0.9
    beta2: Betas = 0.999
    eps: Positives = 1e-8

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        import torch

        betas, eps, decay = (one(self.beta1), one(self.beta2)), one(self.eps), one(self.weight_decay)
        return torch.optim.Adam(self.groups(params), lr=lr, betas=betas, eps=eps, weight_decay=decay, fused=True)


class AdamW(Decaying):
    """Adam with decoupled weight decay: `w -= lr * weight_decay * w` beside Adam's step.

    Loshchilov & Hutter 2019; torch.optim.AdamW.
    """

    kind: Literal["adamw"] = "adamw"
    beta1: Betas = 0.9
    beta2: Betas = 0.999
    eps: Positives = 1e-8
    weight_decay: Decay = 0.01

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        import torch

        betas, eps, decay = (one(self.beta1), one(self.beta2)), one(self.eps), one(self.weight_decay)
        return torch.optim.AdamW(self.groups(params), lr=lr, betas=betas, eps=eps, weight_decay=decay, fused=True)
