"""What every model is: parameters with known shapes, and a network of torch's."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from batchlab.datasets import Info
from batchlab.errors import SpecError
from batchlab.kinds import Kind
from batchlab.models.layers import Layer, Shape, shapes, stack
from batchlab.models.norms import NoNorm, Norm

if TYPE_CHECKING:
    from torch import nn

Width = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class ModelKind(Kind):
    """A network for rows of any shape that it can take."""

    family: ClassVar[str] = "models"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    """The tasks that this model is for."""
    zero_start: ClassVar[bool] = False
    """Whether the initial weights are zero unless the spec's `init` says otherwise (else torch's own)."""
    gives_loss: ClassVar[bool] = False
    """Whether what it gives for a row is that row's loss, and its initial weights are written in the spec."""

    @abstractmethod
    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        """Shapes of the parameters by name, in the network's order, for rows of shape `inputs`."""

    @abstractmethod
    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        """The network, from rows of shape `inputs` to `outputs` numbers, with torch's default initial weights."""

    @property
    def together(self) -> float:
        """Rows of a batch that must pass at once (ghost batches of n: n; the whole batch: infinite)."""
        return 1

    def check(self, info: Info) -> None:
        """Raise SpecError (paths relative to `model`) where this model cannot learn such data."""
        if info.task not in self.tasks:
            raise SpecError.at(("kind",), f"{self.tag()} is for {' and '.join(self.tasks)}, the data for {info.task}")


class Layered(ModelKind):
    """A network that is a list of layers."""

    @abstractmethod
    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        """The layers, from rows of shape `inputs` to `outputs` numbers."""

    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        return shapes(self.layers(inputs, outputs))

    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        return stack(self.layers(inputs, outputs))


class Normed(Layered):
    """A network with a choice of normalisation between its layers."""

    norm: Norm = NoNorm()
    """What normalises the numbers before each activation: `none`, `batch`, `group` or `layer`."""

    @property
    def together(self) -> float:
        return float(self.norm.together)

    @abstractmethod
    def normalised(self) -> Sequence[int]:
        """Channels of the layers that are normalised."""

    def check(self, info: Info) -> None:
        super().check(info)
        faults = [fault for channels in self.normalised() if (fault := self.norm.fault(channels))]
        if faults:
            raise SpecError.at(("norm", "groups"), faults[0])


def need_pictures(model: ModelKind, info: Info, least: int = 1) -> None:
    """Raise SpecError where the rows are no pictures of at least `least` pixels a side."""
    if len(info.shape) != 3:
        raise SpecError.at(
            ("kind",), f"{model.tag()} needs pictures (channels, height, width): use mlp for rows of features"
        )
    if min(info.shape[1:]) < least:
        size = f"{info.shape[1]}x{info.shape[2]}"
        raise SpecError.at(("kind",), f"{model.tag()} needs pictures of at least {least}x{least}, not {size}")
