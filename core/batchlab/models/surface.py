"""A surface as a model: two parameters, and rows that tilt it."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from batchlab.datasets import Info
from batchlab.errors import SpecError
from batchlab.models.base import ModelKind
from batchlab.models.layers import Shape
from batchlab.surfaces import Point, Quadratic, Surface

if TYPE_CHECKING:
    from torch import nn

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]


class OnSurface(ModelKind):
    """A point (x, y) on a surface. A row (s, t) of the data is a slope: its loss is `surface(x, y) + s x + t y`.

    Where the slopes of all rows add up to 0, as those of the data set `slopes` do, the full batch sees the surface
    itself, and a smaller batch one that its rows tilt. The loss `output` takes what the network gives as the loss.
    """

    kind: Literal["surface"] = "surface"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    gives_loss: ClassVar[bool] = True
    surface: Surface = Quadratic()
    """What is descended."""
    start: tuple[Coordinate, Coordinate] | None = None
    """Where (default: a place from which this surface shows what is peculiar to it)."""
    scatter: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Standard deviation, along both axes, of what the seed adds to the start."""

    @property
    def begin(self) -> Point:
        """The first point."""
        return self.start if self.start is not None else self.surface.start

    def check(self, info: Info) -> None:
        super().check(info)
        if info.shape != (2,):
            raise SpecError.at(("kind",), "a surface needs rows of two slopes: use the data set `slopes`")

    def parameters(self, inputs: Shape, outputs: int) -> dict[str, Shape]:
        return {"x": (1,), "y": (1,)}

    def build(self, inputs: Shape, outputs: int) -> "nn.Module":
        from batchlab.models.modules import TiltedSurface

        return TiltedSurface(self.surface, self.begin, self.scatter)
