"""Networks as lists of layers: the shapes of their parameters are known before torch builds anything."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
Activation = Literal["relu", "tanh", "sigmoid", "gelu"]


@dataclass(frozen=True)
class Layer:
    """A module to be made, and the shapes of its parameters by their names in it, in its order."""

    name: str
    make: "Callable[[], nn.Module]"
    shapes: Mapping[str, Shape] = field(default_factory=dict)


def shapes(layers: Sequence[Layer]) -> dict[str, Shape]:
    """The parameters of the layers one after the other, as `stack` names them."""
    return {f"{layer.name}.{name}": shape for layer in layers for name, shape in layer.shapes.items()}


def stack(layers: Sequence[Layer]) -> "nn.Sequential":
    """The layers one after the other, each with torch's default initial weights."""
    from torch import nn

    return nn.Sequential(OrderedDict((layer.name, layer.make()) for layer in layers))


def dense(name: str, n_in: int, n_out: int, bias: bool = True) -> Layer:
    """Every output from every input: weight (n_out, n_in)."""

    def make() -> "nn.Module":
        from torch import nn

        return nn.Linear(n_in, n_out, bias=bias)

    return Layer(name, make, {"weight": (n_out, n_in), **({"bias": (n_out,)} if bias else {})})


def conv(
    name: str, n_in: int, n_out: int, size: int = 3, *, stride: int = 1, padding: int | None = None, bias: bool = True
) -> Layer:
    """A convolution of `size` x `size`, padded by default so that a stride of 1 keeps the sides."""
    padded = size // 2 if padding is None else padding

    def make() -> "nn.Module":
        from torch import nn

        return nn.Conv2d(n_in, n_out, size, stride=stride, padding=padded, bias=bias)

    return Layer(name, make, {"weight": (n_out, n_in, size, size), **({"bias": (n_out,)} if bias else {})})


def activation(name: str, kind: Activation) -> Layer:
    """A nonlinearity, number by number."""

    def make() -> "nn.Module":
        from torch import nn

        kinds: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}
        return kinds[kind]()

    return Layer(name, make)


def max_pool(name: str, size: int, *, padding: int = 0, ceil: bool = False) -> Layer:
    """The largest of each window of `size` x `size`, every second one; `ceil` keeps what reaches over the edge."""

    def make() -> "nn.Module":
        from torch import nn

        return nn.MaxPool2d(size, 2, padding, ceil_mode=ceil)

    return Layer(name, make)


def pooled(relu: str, pool: Layer) -> list[Layer]:
    """ReLU and max-pooling. The largest number first, then ReLU: equal numbers and gradients, a quarter of the work."""
    return [pool, activation(relu, "relu")]


def mean_pool(name: str, size: int | None = None) -> Layer:
    """The mean of each window of `size` x `size`; of the whole picture without a size."""

    def make() -> "nn.Module":
        from torch import nn

        return nn.AdaptiveAvgPool2d(1) if size is None else nn.AvgPool2d(size)

    return Layer(name, make)


def flatten(inputs: Shape) -> list[Layer]:
    """What makes rows of features of rows of this shape."""

    def make() -> "nn.Module":
        from torch import nn

        return nn.Flatten()

    return [Layer("flatten", make)] if len(inputs) > 1 else []


def dropout(name: str, rate: float) -> list[Layer]:
    """What leaves out each number with probability `rate` while training; nothing for 0."""

    def make() -> "nn.Module":
        from batchlab.models.modules import Dropout

        return Dropout(rate)

    return [Layer(name, make)] if rate > 0 else []


def residual(name: str, body: Sequence[Layer], shortcut: Sequence[Layer] | None) -> Layer:
    """`relu(body(x) + shortcut(x))`; `relu(body(x))` where there is no shortcut."""

    def make() -> "nn.Module":
        from batchlab.models.modules import Residual

        return Residual(stack(body), None if shortcut is None else stack(shortcut))

    parts = {"body": body, "shortcut": shortcut or ()}
    found = {f"{part}.{key}": shape for part, layers in parts.items() for key, shape in shapes(layers).items()}
    return Layer(name, make, found)


def subsample(name: str, n_in: int, n_out: int) -> Layer:
    """Every second pixel, with channels of zeros behind: the shortcut without parameters (He et al. 2016, option A)."""

    def make() -> "nn.Module":
        from batchlab.models.modules import Subsample

        return Subsample(n_out - n_in)

    return Layer(name, make)


def zeroed(layer: Layer) -> Layer:
    """A norm layer whose weights start at 0: its residual block starts as the identity (Goyal et al. 2017, 5.1)."""

    def make() -> "nn.Module":
        from torch import nn

        module = layer.make()
        nn.init.zeros_(module.get_parameter("weight"))
        return module

    return Layer(layer.name, make, layer.shapes)
