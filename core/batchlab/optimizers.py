"""Optimizers: the rule that turns a gradient into a step. Their arithmetic is torch.optim's.

A number that may be a list in a spec (`OneOrMany`) is an axis of the sweep; a cell holds one number.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.kinds import Kind, OneOrMany, union

if TYPE_CHECKING:
    import torch

NonNegative = Annotated[float, Field(ge=0)]
Decay = OneOrMany[NonNegative]
Positive = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = OneOrMany[Beta]
Eps = OneOrMany[Positive]


class _Optimizer(Kind):
    family: ClassVar[str] = "optimizers"
    has_momentum: ClassVar[bool] = False
    """Whether the spec's `momentum` axis applies."""

    @abstractmethod
    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        """The torch optimizer over `params`, at rate `lr`."""

    def numbers(self) -> dict[str, float | tuple[float, ...]]:
        """The numeric parameters that may be axes, by name."""
        fields = type(self).model_fields
        return {name: getattr(self, name) for name in sorted(fields) if _is_number(getattr(self, name))}

    def at(self, point: dict[str, float]) -> "_Optimizer":
        """This optimizer with the numbers of one point of the sweep."""
        return self.model_copy(update=point)


def _is_number(value: Any) -> bool:
    return isinstance(value, float | tuple) and not isinstance(value, bool)


class Sgd(_Optimizer):
    """Gradient descent with heavy-ball or Nesterov momentum, the velocity without the rate: `v = m v + g; w -= lr v`.

    Weight decay is coupled: `g + weight_decay * w` (torch.optim.SGD).
    """

    kind: Literal["sgd"] = "sgd"
    has_momentum: ClassVar[bool] = True
    nesterov: bool = False
    weight_decay: Decay = 0.0

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        import torch

        return torch.optim.SGD(
            params, lr=lr, momentum=momentum or 0.0, nesterov=self.nesterov, weight_decay=_one(self.weight_decay)
        )


class Adam(_Optimizer):
    """Adam with bias correction and coupled weight decay (Kingma & Ba 2015; torch.optim.Adam)."""

    kind: Literal["adam"] = "adam"
    beta1: Betas = 0.9
    beta2: Betas = 0.999
    eps: Eps = 1e-8
    weight_decay: Decay = 0.0

    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        import torch

        betas = (_one(self.beta1), _one(self.beta2))
        return torch.optim.Adam(params, lr=lr, betas=betas, eps=_one(self.eps), weight_decay=_one(self.weight_decay))


def _one(value: float | tuple[float, ...]) -> float:
    if isinstance(value, tuple):
        raise TypeError("a list of numbers is an axis of the sweep: expand the spec to cells first")
    return value


Optimizer: Any = union("optimizers", Sgd, Adam)
