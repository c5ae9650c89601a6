"""Changes of the step that a gradient leads to: clipped gradients, and updates that stay near where they began."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from batchlab.kinds import Strict

if TYPE_CHECKING:
    from torch import Tensor

Positive = Annotated[float, Field(gt=0)]


class Clip(Strict):
    """Gradients are cut before the step: by the norm of all parameters together, or number by number.

    The recorded norms are those before the cut.
    """

    norm: Positive | None = None
    """A gradient with a larger norm is scaled down to this norm (Pascanu, Mikolov & Bengio 2013)."""
    value: Positive | None = None
    """Each number of the gradient is moved to within minus this and this."""

    @model_validator(mode="after")
    def _one(self) -> "Clip":
        if (self.norm is None) == (self.value is None):
            raise ValueError("give one of norm and value")
        return self

    def cut(self, params: "Sequence[Tensor]") -> None:
        """Change the gradients of these parameters in place."""
        from torch.nn import utils

        if self.norm is not None:
            utils.clip_grad_norm_(params, self.norm)
        elif self.value is not None:
            utils.clip_grad_value_(params, self.value)


class Proximal(Strict):
    """Conservative training: several steps on each batch, held near the weights w_k at which the update began.

    Every update minimises `f(w) + strength / 2 * |w - w_k|^2` inexactly, f being the loss of its batch, by `inner`
    steps of the optimizer: so many gradients an update (Li et al. 2014; Keskar et al. 2017, section 4). The recorded
    loss and norms are those at w_k, and the norm of the update is that of all its inner steps together.
    """

    strength: Positive = 1e-3
    """Lambda, the weight of the distance."""
    inner: Annotated[int, Field(ge=2, le=1000)] = 3
    """Steps of the optimizer on each batch."""

    def pull(self, params: "Sequence[Tensor]", anchor: "Sequence[Tensor]") -> None:
        """Add the gradient of the distance from `anchor` to that of the loss, in place."""
        for p, start in zip(params, anchor, strict=True):
            if p.grad is not None:
                p.grad.add_(p.detach() - start, alpha=self.strength)
