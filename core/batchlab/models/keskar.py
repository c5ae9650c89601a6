"""The networks of Keskar et al. 2017, appendix B: on large-batch training and sharp minima."""

from collections.abc import Sequence
from typing import Literal

from batchlab.datasets import Info
from batchlab.models.base import Normed, need_pictures
from batchlab.models.convolutional import Vgg
from batchlab.models.dense import Mlp
from batchlab.models.layers import Layer, Shape, activation, conv, dense, dropout, flatten, max_pool, pooled
from batchlab.models.norms import Batch, Norm

FILTERS, WIDTHS, DROPPED = 64, (384, 192), 0.5
"""Of the shallow networks C1 and C3: filters of both convolutions, units of the dense layers, dropout behind them."""


class Keskar(Normed):
    """A network of Keskar et al. (2017), batch-normalised, sized to the data at hand.

    F1 (MNIST) is five dense layers of 512 units, F2 (TIMIT) seven. C1 and C3 (CIFAR-10, CIFAR-100) are shallow: two
    5x5 convolutions, each with 3x3 max-pooling of stride 2, and dense layers of 384 and 192 units with dropout 0.5.
    C2 and C4 (CIFAR-10, CIFAR-100) are deep: 13 3x3 convolutions in the manner of VGG with dropout.
    """

    kind: Literal["keskar"] = "keskar"
    network: Literal["F1", "F2", "C1", "C2", "C3", "C4"] = "C1"
    """C1 and C3, and C2 and C4, differ in their data alone."""
    norm: Norm = Batch()
    """What normalises the numbers before each ReLU: `none`, `batch`, `group` or `layer`."""

    def check(self, info: Info) -> None:
        super().check(info)
        if self.network.startswith("C"):
            need_pictures(self, info)

    def _plain(self) -> Normed | None:
        """The general model that this network is one of; None for the shallow ones."""
        if self.network.startswith("F"):
            return Mlp(widths=(512,) * (5 if self.network == "F1" else 7), norm=self.norm)
        return Vgg(norm=self.norm) if self.network in ("C2", "C4") else None

    def normalised(self) -> Sequence[int]:
        plain = self._plain()
        return (FILTERS, *WIDTHS) if plain is None else plain.normalised()

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        plain = self._plain()
        return self._shallow(inputs, outputs) if plain is None else plain.layers(inputs, outputs)

    def _shallow(self, inputs: Shape, outputs: int) -> list[Layer]:
        height, width = (((side + 1) // 2 + 1) // 2 for side in inputs[1:])
        return [
            *self._convolution(1, inputs[0]),
            *self._convolution(2, FILTERS),
            *flatten(inputs),
            *self._dense(1, FILTERS * height * width, WIDTHS[0]),
            *self._dense(2, *WIDTHS),
            dense("out", WIDTHS[1], outputs),
        ]

    def _convolution(self, i: int, n_in: int) -> list[Layer]:
        pool = max_pool(f"pool{i}", 3, padding=1)
        normed = [conv(f"conv{i}", n_in, FILTERS, 5), *self.norm.layers(f"norm{i}", FILTERS)]
        return [*normed, *pooled(f"relu{i}", pool)]

    def _dense(self, i: int, n_in: int, n_out: int) -> list[Layer]:
        normed = [dense(f"dense{i}", n_in, n_out), *self.norm.layers(f"dense{i}_norm", n_out)]
        return [*normed, activation(f"dense{i}_relu", "relu"), *dropout(f"drop{i}", DROPPED)]
