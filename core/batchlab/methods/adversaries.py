"""Adversaries: training on rows that were moved against the network.

Distances are in the units of the rows as the network sees them: standard deviations where the data set is normalised.
Passes over moved rows leave the running statistics of a normalisation alone.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.kinds import Kind, union

if TYPE_CHECKING:
    from torch import Tensor

Positive = Annotated[float, Field(gt=0)]


class BaseAdversary(Kind):
    """A member of the family."""

    family: ClassVar[str] = "adversaries"

    @abstractmethod
    def moved(self, x: "Tensor", loss: "Tensor", normal: "Callable[[Tensor], Tensor]") -> "Tensor":
        """The rows that the network is to withstand. `x` requires a gradient, `loss` is theirs, `normal` draws standard
        normal numbers of a tensor's shape."""

    @abstractmethod
    def combined(self, clean: "Tensor", harmed: "Tensor", drift: "Callable[[], Tensor]") -> "Tensor":
        """What is minimised: of the loss of the rows, that of the moved rows, and how far their outputs differ."""


class Fgsm(BaseAdversary):
    """Fast gradient sign: `(1 - share) f(x) + share f(x + epsilon sign(df/dx))` (Goodfellow, Shlens & Szegedy 2015).

    Two passes an update, as tried against sharp minima by Keskar et al. (2017, section 4).
    """

    kind: Literal["fgsm"] = "fgsm"
    epsilon: Positive = 0.1
    """How far each number of a row is moved."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The weight of the moved rows."""

    def moved(self, x: "Tensor", loss: "Tensor", normal: "Callable[[Tensor], Tensor]") -> "Tensor":
        import torch

        (slope,) = torch.autograd.grad(loss, x, retain_graph=True)
        return (x + self.epsilon * slope.sign()).detach()

    def combined(self, clean: "Tensor", harmed: "Tensor", drift: "Callable[[], Tensor]") -> "Tensor":
        return (1 - self.share) * clean + self.share * harmed


class Stability(BaseAdversary):
    """Stability training: `f(x) + weight * D(x, x + sigma * noise)` with fresh normal noise at each update.

    D is the cross-entropy between the two predictions, or half the squared distance of the outputs where the loss is
    the squared error (Zheng et al. 2016; tried by Keskar et al. 2017, section 4). Two passes an update.
    """

    kind: Literal["stability"] = "stability"
    sigma: Positive = 0.1
    """Standard deviation of the noise."""
    weight: Positive = 0.01
    """The weight of the outputs' difference."""

    def moved(self, x: "Tensor", loss: "Tensor", normal: "Callable[[Tensor], Tensor]") -> "Tensor":
        return (x + self.sigma * normal(x)).detach()

    def combined(self, clean: "Tensor", harmed: "Tensor", drift: "Callable[[], Tensor]") -> "Tensor":
        return clean + self.weight * drift()


Adversary: Any = union("adversaries", Fgsm, Stability)
