"""A few rows written out in the spec itself: the worked examples of a textbook."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from batchlab.datasets.base import Arrays, DatasetKind, Info, Normalise, Validation
from batchlab.errors import Fault

MOST_NUMBERS = 1000
"""Every cell carries its data set: what is larger is added to the lab under a name."""


class Inline(DatasetKind):
    """Rows that stand in the spec, at most 1000 numbers. They validate themselves where `validation` is not given."""

    everywhere: ClassVar[bool] = True

    kind: Literal["inline"] = "inline"
    x: Annotated[tuple[Annotated[tuple[float, ...], Field(min_length=1)], ...], Field(min_length=1)]
    """The features of each row."""
    y: tuple[float, ...]
    """The label of each row: a number, or with `classes` one of 0 .. classes - 1."""
    classes: Annotated[int, Field(ge=2, le=MOST_NUMBERS)] | None = None
    """How many classes there are; none means regression."""
    validation: Validation | None = "train"
    normalise: Normalise = "none"

    def info(self) -> Info:
        return Info(len(self.x), 0, (len(self.x[0]),), self.classes)

    def _faults(self) -> Iterator[Fault]:
        if sum(map(len, self.x)) > MOST_NUMBERS:
            yield Fault(("x",), f"more than {MOST_NUMBERS} numbers: add them as a data set by `batchlab data add`")
        if len(self.y) != len(self.x):
            yield Fault(("y",), f"{len(self.y)} labels for {len(self.x)} rows: one for each")
        wide = [i for i, row in enumerate(self.x) if len(row) != len(self.x[0])]
        if wide:
            yield Fault(("x", wide[0]), f"{len(self.x[wide[0]])} features, where the first row has {len(self.x[0])}")
        wrong = [i for i, label in enumerate(self.y) if self.classes and label not in range(self.classes)]
        if wrong:
            yield Fault(("y", wrong[0]), f"no class: give one of 0 .. {(self.classes or 1) - 1}")
        yield from super()._faults()

    def available(self, folder: Path) -> bool:
        return True

    def load(self, folder: Path) -> Arrays:
        return Arrays(np.array(self.x, np.float32), np.array(self.y, np.int64 if self.classes else np.float32))
