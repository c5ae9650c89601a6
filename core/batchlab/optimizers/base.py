"""What the optimizers share. A number that may be a list in a spec (`OneOrMany`) is an axis of the sweep; a cell holds
one number."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.kinds import Kind, OneOrMany

if TYPE_CHECKING:
    import torch
    from torch.optim.optimizer import ParamsT

NonNegative = Annotated[float, Field(ge=0)]
Decay = OneOrMany[NonNegative]
Positive = Annotated[float, Field(gt=0)]
Positives = OneOrMany[Positive]
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = OneOrMany[Beta]


class BaseOptimizer(Kind):
    """A member of the family: `build` gives torch's optimizer over a network's parameters."""

    family: ClassVar[str] = "optimizers"
    has_momentum: ClassVar[bool] = False
    """Whether the spec's `momentum` axis applies."""
    looks_again: ClassVar[bool] = False
    """Whether its step takes a closure that leaves the gradient at other weights: a second gradient an update."""
    follows_epochs: ClassVar[bool] = False
    """Whether its groups hold the passes over the data so far, as a fraction, under `epoch`."""

    @abstractmethod
    def build(
        self, params: "Sequence[torch.nn.Parameter]", lr: float, momentum: float | None
    ) -> "torch.optim.Optimizer":
        """The torch optimizer over `params`, at rate `lr`."""

    def numbers(self) -> dict[str, float | tuple[float, ...]]:
        """The numeric parameters that may be axes, by name."""
        fields = type(self).model_fields
        return {name: getattr(self, name) for name in sorted(fields) if _is_number(getattr(self, name))}

    def at(self, point: dict[str, float]) -> "BaseOptimizer":
        """This optimizer with the numbers of one point of the sweep."""
        return self.model_copy(update=point)

    def declared(self) -> dict[str, str]:
        """What a cell's result says of the form of the method, where there are several."""
        variant = getattr(self, "variant", None)
        return {} if variant is None else {"optimizer_variant": variant}


class Decaying(BaseOptimizer):
    """An optimizer with weight decay."""

    weight_decay: Decay = 0.0
    """Pull towards 0: how it enters the step is the optimizer's."""
    decay_on: Literal["all", "weights"] = "all"
    """Which parameters decay: all, or weights alone, neither biases nor the scale and shift of a normalisation."""

    def groups(self, params: "Sequence[torch.nn.Parameter]") -> "ParamsT":
        """The parameters in groups that decay and that do not; a weight has more than one dimension."""
        if self.decay_on == "all":
            return list(params)
        weights = [p for p in params if p.ndim > 1]
        others = [p for p in params if p.ndim <= 1]
        split: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
        return [group for group in split if group["params"]]


def one(value: float | tuple[float, ...]) -> float:
    """The number of a cell; TypeError for an axis."""
    if isinstance(value, tuple):
        raise TypeError("a list of numbers is an axis of the sweep: expand the spec to cells first")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, float | tuple) and not isinstance(value, bool)
