"""Residual networks for small pictures, with and without their shortcuts."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator

from batchlab.datasets import Info
from batchlab.errors import SpecError
from batchlab.models.base import Normed, need_pictures
from batchlab.models.layers import (
    Layer,
    Shape,
    activation,
    conv,
    dense,
    flatten,
    mean_pool,
    residual,
    subsample,
    zeroed,
)
from batchlab.models.norms import Batch, NoNorm, Norm

STAGES = 3


class ResNet(Normed):
    """The residual network for CIFAR of He et al. (2016), section 4.2: 6n + 2 layers in three stages of n blocks.

    A block is two 3x3 convolutions beside a shortcut. The stages have `width`, twice and four times as many channels;
    the second and third halve the picture's sides. Then the mean of each channel, and one dense layer.
    """

    kind: Literal["resnet"] = "resnet"
    depth: Annotated[int, Field(ge=8, le=1202)] = 20
    """Layers with weights: 8, 14, 20, 32, 44, 56, 110, .. (6n + 2)."""
    width: Annotated[int, Field(ge=1, le=1024)] = 16
    """Channels of the first stage."""
    shortcuts: Literal["A", "B", "none"] = "A"
    """Where the sides are halved: `A` takes every second pixel, without parameters; `B` a 1x1 convolution. `none`
    removes all shortcuts, as in Li et al. (2018)."""
    norm: Norm = Batch()
    """What normalises the numbers before each ReLU: `none`, `batch`, `group` or `layer`."""
    zero_gamma: bool = False
    """Whether the weight of each block's last norm starts at 0, the block as the identity (Goyal et al. 2017)."""

    @field_validator("depth")
    @classmethod
    def _of_blocks(cls, depth: int) -> int:
        if depth % 6 != 2:
            raise ValueError("the depth is 6n + 2: use 8, 14, 20, 32, 44, 56 or 110, say")
        return depth

    def check(self, info: Info) -> None:
        super().check(info)
        need_pictures(self, info)
        if self.zero_gamma and isinstance(self.norm, NoNorm):
            raise SpecError.at(("zero_gamma",), "needs a norm, whose weight it is: choose one, or leave it out")

    def normalised(self) -> Sequence[int]:
        return tuple(self.width << stage for stage in range(STAGES))

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        found = [self._conv("conv", inputs[0], self.width), *self.norm.layers("norm", self.width)]
        found.append(activation("relu", "relu"))
        n_in = self.width
        for stage, n_out in enumerate(self.normalised(), start=1):
            for i in range(1, (self.depth - 2) // 6 + 1):
                found.append(self._block(f"block{stage}_{i}", n_in, n_out))
                n_in = n_out
        return [*found, mean_pool("pool"), *flatten(inputs), dense("out", n_in, outputs)]

    def _conv(self, name: str, n_in: int, n_out: int, *, size: int = 3, stride: int = 1) -> Layer:
        """A convolution, with a bias of its own where no norm brings one."""
        return conv(name, n_in, n_out, size, stride=stride, bias=isinstance(self.norm, NoNorm))

    def _block(self, name: str, n_in: int, n_out: int) -> Layer:
        first = self._conv("conv1", n_in, n_out, stride=1 if n_in == n_out else 2)
        last = self.norm.layers("norm2", n_out)
        if self.zero_gamma:
            last = list(map(zeroed, last))
        body = [first, *self.norm.layers("norm1", n_out), activation("relu1", "relu")]
        return residual(name, [*body, self._conv("conv2", n_out, n_out), *last], self._shortcut(n_in, n_out))

    def _shortcut(self, n_in: int, n_out: int) -> list[Layer] | None:
        if self.shortcuts == "none":
            return None
        if n_in == n_out:
            return []
        if self.shortcuts == "A":
            return [subsample("subsample", n_in, n_out)]
        return [self._conv("conv", n_in, n_out, size=1, stride=2), *self.norm.layers("norm", n_out)]
