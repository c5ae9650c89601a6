"""Models: the network that is trained. Building one needs torch, which is imported inside `build` alone."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.kinds import Kind, union

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
Activation = Literal["relu", "tanh", "sigmoid", "gelu"]
Width = Annotated[int, Field(ge=1, le=65536)]


class _Model(Kind):
    family: ClassVar[str] = "models"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    """The tasks that this model is for."""

    @abstractmethod
    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        """Shapes of the parameters by name, in the network's order, for rows of shape `inputs`."""

    @abstractmethod
    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        """The network, from rows of shape `inputs` to `outputs` numbers, with torch's default initial weights."""
