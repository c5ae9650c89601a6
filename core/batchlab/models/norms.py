"""Normalisation between layers: by batch, by groups of channels, by row, or none."""

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.kinds import Kind, union
from batchlab.models.layers import Layer

if TYPE_CHECKING:
    from torch import nn

LAST = 1.0
"""Weight of the newest batch in averages that keep nothing else."""


class _Norm(Kind):
    family: ClassVar[str] = "norms"

    def layers(self, name: str, channels: int) -> list[Layer]:
        """The layer that normalises (rows, channels, ...), with a weight (from 1) and a bias (from 0) a channel."""
        return [Layer(name, lambda: self.build(channels), {"weight": (channels,), "bias": (channels,)})]

    def build(self, channels: int) -> "nn.Module":
        """The module."""
        raise NotImplementedError

    @property
    def together(self) -> float:
        """Rows of a batch that must pass at once: 1 where rows are independent, infinite for the whole batch."""
        return 1

    def fault(self, channels: int) -> str | None:
        """What keeps this from normalising so many channels."""
        return None


class NoNorm(_Norm):
    """No normalisation."""

    kind: Literal["none"] = "none"

    def layers(self, name: str, channels: int) -> list[Layer]:
        return []


class Batch(_Norm):
    """Batch normalisation: each channel by its mean and variance over the batch (Ioffe & Szegedy 2015).

    Evaluations use averages over the batches seen, each counting a tenth. Batches need at least two rows.
    """

    kind: Literal["batch"] = "batch"
    virtual_rows: Annotated[int, Field(ge=2)] | None = None
    """Ghost batch norm: the statistics are of so many consecutive rows of a batch rather than of all of it, as each
    worker of a distributed run has its own (Hoffer et al. 2017; Goyal et al. 2017)."""
    averages: bool = True
    """False: evaluations use the statistics of the latest batch alone (Akiba, Suzuki & Fukuda 2017)."""

    def build(self, channels: int) -> "nn.Module":
        from batchlab.models.modules import BatchNorm

        return BatchNorm(channels, self.virtual_rows, 0.1 if self.averages else LAST)

    @property
    def together(self) -> float:
        return self.virtual_rows or math.inf


class Group(_Norm):
    """Group normalisation: each row by groups of its channels, whatever the batch (Wu & He 2018)."""

    kind: Literal["group"] = "group"
    groups: Annotated[int, Field(ge=1)] = 4
    """Groups of each layer: must divide its channels."""

    def build(self, channels: int) -> "nn.Module":
        from torch import nn

        return nn.GroupNorm(self.groups, channels)

    def fault(self, channels: int) -> str | None:
        if channels % self.groups == 0:
            return None
        return f"{self.groups} groups do not divide the {channels} channels of a layer: choose another number"


class ByRow(_Norm):
    """Layer normalisation: each row by all numbers of the layer (Ba, Kiros & Hinton 2016)."""

    kind: Literal["layer"] = "layer"

    def build(self, channels: int) -> "nn.Module":
        from torch import nn

        return nn.GroupNorm(1, channels)


Norm: Any = union("norms", NoNorm, Batch, Group, ByRow)
