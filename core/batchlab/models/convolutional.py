"""Convolutional models: a small one, LeNet, and deep plain ones in the manner of VGG."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from batchlab.datasets import Info
from batchlab.errors import SpecError
from batchlab.models.base import Normed, Rate, Width, need_pictures
from batchlab.models.layers import (
    Activation,
    Layer,
    Shape,
    activation,
    conv,
    dense,
    dropout,
    flatten,
    max_pool,
    mean_pool,
    pooled,
)
from batchlab.models.norms import Batch, Norm

Stage = Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)]


class Cnn(Normed):
    """A small convolutional network: 3x3 convolutions (padding 1), each with ReLU and 2x2 max-pooling, then dense."""

    kind: Literal["cnn"] = "cnn"
    channels: Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)] = (8, 16)
    """Channels of each convolution; each halves the picture's sides."""
    width: Width = 64
    """Units of the hidden dense layer."""
    dropout: Rate = 0.0
    """Probability with which each unit of the hidden dense layer is left out of an update."""

    def check(self, info: Info) -> None:
        super().check(info)
        need_pictures(self, info)
        if min(info.shape[1:]) >> len(self.channels) < 1:
            raise SpecError.at(("channels",), f"pictures of {info.shape[1]}x{info.shape[2]} cannot be halved so often")

    def normalised(self) -> Sequence[int]:
        return (*self.channels, self.width)

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        found: list[Layer] = []
        for i, (n_in, n_out) in enumerate(pairwise((inputs[0], *self.channels)), start=1):
            found += [conv(f"conv{i}", n_in, n_out), *self.norm.layers(f"norm{i}", n_out)]
            found += pooled(f"relu{i}", max_pool(f"pool{i}", 2))
        pixels = (inputs[1] >> len(self.channels)) * (inputs[2] >> len(self.channels))
        found += [*flatten(inputs), dense("hidden", self.channels[-1] * pixels, self.width)]
        found += [*self.norm.layers("norm", self.width), activation("relu", "relu"), *dropout("drop", self.dropout)]
        return [*found, dense("out", self.width, outputs)]


class LeNet(Normed):
    """LeNet-5 (LeCun et al. 1998): two 5x5 convolutions with mean-pooling, then 120 and 84 units; fully connected.

    The first convolution pads by 2, as the paper's pictures of 32x32 are the 28x28 of MNIST with a margin.
    """

    kind: Literal["lenet"] = "lenet"
    activation: Activation = "tanh"

    def check(self, info: Info) -> None:
        super().check(info)
        need_pictures(self, info, 12)

    def normalised(self) -> Sequence[int]:
        return (6, 16, 120, 84)

    def _step(self, name: str, layer: Layer, channels: int) -> list[Layer]:
        return [layer, *self.norm.layers(f"{name}_norm", channels), activation(f"{name}_act", self.activation)]

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        pixels = ((inputs[1] // 2 - 4) // 2) * ((inputs[2] // 2 - 4) // 2)
        return [
            *self._step("conv1", conv("conv1", inputs[0], 6, 5), 6),
            mean_pool("pool1", 2),
            *self._step("conv2", conv("conv2", 6, 16, 5, padding=0), 16),
            mean_pool("pool2", 2),
            *flatten(inputs),
            *self._step("dense1", dense("dense1", 16 * pixels, 120), 120),
            *self._step("dense2", dense("dense2", 120, 84), 84),
            dense("out", 84, outputs),
        ]


class Vgg(Normed):
    """Stages of 3x3 convolutions with ReLU, each stage ended by 2x2 max-pooling, then one dense layer.

    In the manner of Simonyan & Zisserman (2015) for pictures of 32x32, batch-normalised and with dropout between the
    convolutions of a stage and around the dense layer. The defaults are Keskar's deep network (C2, C4).
    """

    kind: Literal["vgg"] = "vgg"
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=8)] = (
        (64, 64),
        (128, 128),
        (256, 256, 256),
        (512, 512, 512),
        (512, 512, 512),
    )
    """Channels of the convolutions of each stage; a stage halves the picture's sides, rounded up."""
    width: Width = 512
    """Units of the hidden dense layer."""
    norm: Norm = Batch()
    """What normalises the numbers before each ReLU: `none`, `batch`, `group` or `layer`."""
    conv_dropout: Annotated[tuple[Rate, ...], Field(min_length=1)] = (0.3, 0.4)
    """Dropout between the convolutions of each stage; the last number goes for the stages that follow."""
    dropout: Rate = 0.5
    """Dropout before and behind the hidden dense layer."""

    def check(self, info: Info) -> None:
        super().check(info)
        need_pictures(self, info)

    def normalised(self) -> Sequence[int]:
        return (*(channels for stage in self.stages for channels in stage), self.width)

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        found: list[Layer] = []
        n_in, sides = inputs[0], inputs[1:]
        for number, stage in enumerate(self.stages, start=1):
            found += self._stage(number, n_in, stage)
            n_in, sides = stage[-1], tuple((side + 1) // 2 for side in sides)
        hidden = dense("hidden", n_in * sides[0] * sides[1], self.width)
        found += [*flatten(inputs), *dropout("drop1", self.dropout), hidden, *self.norm.layers("norm", self.width)]
        found += [activation("relu", "relu"), *dropout("drop2", self.dropout)]
        return [*found, dense("out", self.width, outputs)]

    def _stage(self, number: int, n_in: int, stage: tuple[int, ...]) -> list[Layer]:
        """Convolutions, and the pooling behind them."""
        rate = self.conv_dropout[min(number, len(self.conv_dropout)) - 1]
        found: list[Layer] = []
        for i, (before, after) in enumerate(pairwise((n_in, *stage)), start=1):
            name = f"{number}_{i}"
            found += [conv(f"conv{name}", before, after), *self.norm.layers(f"norm{name}", after)]
            if i < len(stage):
                found += [activation(f"relu{name}", "relu"), *dropout(f"drop{name}", rate)]
            else:
                found += pooled(f"relu{name}", max_pool(f"pool{number}", 2, ceil=True))
        return found
