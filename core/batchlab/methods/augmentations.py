"""Augmentations: training pictures that are changed anew every epoch; those that are evaluated never are.

What happens to a picture is a pure function of the seed, the epoch and its row, so that training may be taken up
anywhere. Pictures are changed as the network sees them: what is cut out or padded is 0, which is the training pictures'
mean where they are normalised.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from batchlab.datasets import Info
from batchlab.errors import SpecError
from batchlab.kinds import Kind, union

if TYPE_CHECKING:
    from torch import Tensor

Draws = NDArray[np.int64]
Pixels = Annotated[int, Field(ge=1, le=1024)]


class BaseAugmentation(Kind):
    """A member of the family: `draw` says what happens to each row of an epoch, `apply` does it."""

    family: ClassVar[str] = "augmentations"

    @abstractmethod
    def draw(self, rng: np.random.Generator, rows: int, shape: tuple[int, ...]) -> Draws:
        """What happens to each of so many pictures (channels, height, width): int64, shape (rows, numbers)."""

    @abstractmethod
    def apply(self, x: "Tensor", drawn: "Tensor") -> "Tensor":
        """Pictures (n, channels, height, width), changed as drawn (n, numbers): same shape, `x` left as it is."""

    def check(self, info: Info) -> None:
        """Raise SpecError (paths relative to the augmentation) where it does not fit the data."""
        if len(info.shape) != 3:
            raise SpecError.at(("kind",), f"{self.tag()} is for pictures (channels, height, width): leave it out")


class Flip(BaseAugmentation):
    """Mirror a picture, left to right, with the probability 1/2."""

    kind: Literal["flip"] = "flip"

    def draw(self, rng: np.random.Generator, rows: int, shape: tuple[int, ...]) -> Draws:
        return rng.integers(0, 2, (rows, 1))

    def apply(self, x: "Tensor", drawn: "Tensor") -> "Tensor":
        return x.flip(-1).where(drawn.bool()[:, :, None, None], x)


class Crop(BaseAugmentation):
    """Pad a picture with zeros on all sides and take a piece of its own size from anywhere within."""

    kind: Literal["crop"] = "crop"
    padding: Pixels = 4
    """Pixels on each side: the picture moves by as many at most."""

    def draw(self, rng: np.random.Generator, rows: int, shape: tuple[int, ...]) -> Draws:
        return rng.integers(0, 2 * self.padding + 1, (rows, 2))

    def apply(self, x: "Tensor", drawn: "Tensor") -> "Tensor":
        import torch
        from torch.nn.functional import pad

        n, channels, height, width = x.shape
        arange = [torch.arange(size, device=x.device) for size in (n, channels, height, width)]
        down = drawn[:, 0, None] + arange[2]
        right = drawn[:, 1, None] + arange[3]
        padded = pad(x, (self.padding,) * 4)
        return padded[
            arange[0][:, None, None, None], arange[1][:, None, None], down[:, None, :, None], right[:, None, None, :]
        ]


class Cutout(BaseAugmentation):
    """Blank a square around a random pixel; the part of it beyond the border is lost (DeVries & Taylor 2017)."""

    kind: Literal["cutout"] = "cutout"
    size: Pixels = 8
    """Pixels of the square's side."""

    def draw(self, rng: np.random.Generator, rows: int, shape: tuple[int, ...]) -> Draws:
        return rng.integers(0, shape[1:], (rows, 2))

    def apply(self, x: "Tensor", drawn: "Tensor") -> "Tensor":
        import torch

        corner = drawn - self.size // 2
        down = torch.arange(x.shape[2], device=x.device) - corner[:, 0, None]
        right = torch.arange(x.shape[3], device=x.device) - corner[:, 1, None]
        inside = _within(down, self.size)[:, None, :, None] & _within(right, self.size)[:, None, None, :]
        return x.masked_fill(inside, 0.0)


def _within(place: "Tensor", size: int) -> "Tensor":
    return (place >= 0) & (place < size)


Augmentation: Any = union("augmentations", Flip, Crop, Cutout)
