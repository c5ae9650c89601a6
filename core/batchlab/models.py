"""Models: the network that is trained. Building one needs torch, which is imported inside functions alone."""

from abc import abstractmethod
from collections import OrderedDict
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.datasets import Info
from batchlab.errors import SpecError
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
    zero_start: ClassVar[bool] = False
    """Whether the initial weights are zero unless the spec's `init` says otherwise (else torch's own)."""

    @abstractmethod
    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        """Shapes of the parameters by name, in the network's order, for rows of shape `inputs`."""

    @abstractmethod
    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        """The network, from rows of shape `inputs` to `outputs` numbers, with torch's default initial weights."""

    def check(self, info: Info) -> None:
        """Raise SpecError (paths relative to `model`) where this model cannot learn such data."""
        if info.task not in self.tasks:
            raise SpecError.at(("kind",), f"{self.name()} is for {' and '.join(self.tasks)}, the data for {info.task}")


class Softmax(_Model):
    """Softmax regression: one linear layer from the features to the classes. Starts at W = b = 0."""

    kind: Literal["softmax"] = "softmax"
    zero_start: ClassVar[bool] = True

    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        return _dense_shapes("linear", prod(inputs), outputs)

    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        from torch import nn

        return _flat(inputs, ("linear", nn.Linear(prod(inputs), outputs)))


class Linear(_Model):
    """Linear regression: one linear layer from the features to one number."""

    kind: Literal["linear"] = "linear"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    bias: bool = True
    """Whether there is a constant term."""

    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        shapes = _dense_shapes("linear", prod(inputs), outputs)
        return shapes if self.bias else {"linear.weight": shapes["linear.weight"]}

    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        from torch import nn

        return _flat(inputs, ("linear", nn.Linear(prod(inputs), outputs, bias=self.bias)))


class Mlp(_Model):
    """Fully connected layers with an activation between them."""

    kind: Literal["mlp"] = "mlp"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=64)] = (256,)
    """Units of each hidden layer."""
    activation: Activation = "relu"

    def _layers(self, inputs: Shape, outputs: int) -> list[tuple[str, int, int]]:
        sizes = list(pairwise((prod(inputs), *self.widths, outputs)))
        names = [f"hidden{i}" for i in range(1, len(sizes))] + ["out"]
        return [(name, n_in, n_out) for name, (n_in, n_out) in zip(names, sizes, strict=True)]

    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        for layer in self._layers(inputs, outputs):
            shapes |= _dense_shapes(*layer)
        return shapes

    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        from torch import nn

        modules: list[tuple[str, nn.Module]] = []
        for name, n_in, n_out in self._layers(inputs, outputs):
            modules += [(name, nn.Linear(n_in, n_out)), (f"{name}_{self.activation}", _activation(self.activation))]
        return _flat(inputs, *modules[:-1])


class Cnn(_Model):
    """A small convolutional network: 3x3 convolutions (padding 1), each with ReLU and 2x2 max-pooling, then dense."""

    kind: Literal["cnn"] = "cnn"
    channels: Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)] = (8, 16)
    """Channels of each convolution; each halves the picture's sides."""
    width: Width = 64
    """Units of the hidden dense layer."""

    def check(self, info: Info) -> None:
        super().check(info)
        if len(info.shape) != 3:
            raise SpecError.at(("kind",), "cnn needs pictures (channels, height, width): use mlp for rows of features")
        if min(info.shape[1:]) >> len(self.channels) < 1:
            raise SpecError.at(("channels",), f"pictures of {info.shape[1]}x{info.shape[2]} cannot be halved so often")

    def _features(self, inputs: Shape) -> int:
        return self.channels[-1] * (inputs[1] >> len(self.channels)) * (inputs[2] >> len(self.channels))

    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        for i, (n_in, n_out) in enumerate(pairwise((inputs[0], *self.channels)), start=1):
            shapes |= {f"conv{i}.weight": (n_out, n_in, 3, 3), f"conv{i}.bias": (n_out,)}
        return (
            shapes
            | _dense_shapes("hidden", self._features(inputs), self.width)
            | _dense_shapes("out", self.width, outputs)
        )

    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        from torch import nn

        modules: list[tuple[str, nn.Module]] = []
        for i, (n_in, n_out) in enumerate(pairwise((inputs[0], *self.channels)), start=1):
            modules += [(f"conv{i}", nn.Conv2d(n_in, n_out, 3, padding=1)), (f"relu{i}", nn.ReLU())]
            modules += [(f"pool{i}", nn.MaxPool2d(2))]
        modules += [("flatten", nn.Flatten()), ("hidden", nn.Linear(self._features(inputs), self.width))]
        modules += [("relu", nn.ReLU()), ("out", nn.Linear(self.width, outputs))]
        return nn.Sequential(OrderedDict(modules))


def _dense_shapes(name: str, n_in: int, n_out: int) -> dict[str, Shape]:
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def _flat(inputs: Shape, *modules: "tuple[str, nn.Module]") -> "nn.Module":
    from torch import nn

    first = [("flatten", nn.Flatten())] if len(inputs) > 1 else []
    return nn.Sequential(OrderedDict([*first, *modules]))


def _activation(name: Activation) -> "nn.Module":
    from torch import nn

    kinds: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}
    return kinds[name]()


Model: Any = union("models", Softmax, Linear, Mlp, Cnn)
