"""Slopes that cancel: the data of a surface whose batches disagree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from batchlab import streams
from batchlab.datasets.base import Arrays, DatasetKind, Info, Normalise, Validation
from batchlab.errors import Fault

GRID = 1024
"""Slopes are multiples of one over this, so that sums of them are exact in every precision but bfloat16."""


class Slopes(DatasetKind):
    """Slopes in the plane that add up to zero: what each row adds to the model `surface`.

    Half of them are drawn from a normal distribution, the other half are their opposites; a single row has no slope and
    leaves the surface as it is. They add up to zero exactly, so that a full batch that rests goes on resting.
    """

    everywhere: ClassVar[bool] = True

    kind: Literal["slopes"] = "slopes"
    rows: Annotated[int, Field(ge=1, le=65536)] = 16
    """How many: a power of two, so that a mean over all of them is exact, too."""
    spread: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Standard deviation of the slopes along each axis: how much the rows disagree."""
    validation: Validation | None = "train"
    normalise: Normalise = "none"

    def info(self) -> Info:
        return Info(self.rows, 0, (2,), None)

    def _faults(self) -> Iterator[Fault]:
        if self.rows & (self.rows - 1):
            yield Fault(("rows",), "must be a power of two: 16, say")
        text = "slopes cancel only all together and as they are: leave this out"
        for name, own in (("validation", "train"), ("normalise", "none"), ("take", None)):
            if getattr(self, name) != own:
                yield Fault((name,), text)

    def available(self, folder: Path) -> bool:
        return True

    def load(self, folder: Path) -> Arrays:
        half = streams.generator(self.data_seed, "data").standard_normal((self.rows // 2, 2))
        slopes = np.round(half * self.spread * GRID) / GRID
        x = np.concatenate([slopes, -slopes]) if self.rows > 1 else np.zeros((1, 2))
        return Arrays(x.astype(np.float32), np.zeros(self.rows, np.float32))
