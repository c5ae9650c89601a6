"""Models of fully connected layers."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchlab.models.base import Layered, Normed, Rate, Width
from batchlab.models.layers import Activation, Layer, Shape, activation, dense, dropout, flatten


class Softmax(Layered):
    """Softmax regression: one linear layer from the features to the classes. Starts at W = b = 0."""

    kind: Literal["softmax"] = "softmax"
    zero_start: ClassVar[bool] = True

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        return [*flatten(inputs), dense("linear", prod(inputs), outputs)]


class Linear(Layered):
    """Linear regression: one linear layer from the features to one number."""

    kind: Literal["linear"] = "linear"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    bias: bool = True
    """Whether there is a constant term."""

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        return [*flatten(inputs), dense("linear", prod(inputs), outputs, self.bias)]


class Mlp(Normed):
    """Fully connected layers with an activation between them."""

    kind: Literal["mlp"] = "mlp"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=64)] = (256,)
    """Units of each hidden layer."""
    activation: Activation = "relu"
    dropout: Rate = 0.0
    """Probability with which each unit of a hidden layer is left out of an update."""

    def normalised(self) -> Sequence[int]:
        return self.widths

    def layers(self, inputs: Shape, outputs: int) -> list[Layer]:
        found = flatten(inputs)
        for i, (n_in, n_out) in enumerate(pairwise((prod(inputs), *self.widths)), start=1):
            name = f"hidden{i}"
            found += [dense(name, n_in, n_out), *self.norm.layers(f"{name}_norm", n_out)]
            found += [activation(f"{name}_{self.activation}", self.activation), *dropout(f"{name}_drop", self.dropout)]
        return [*found, dense("out", self.widths[-1], outputs)]
