"""Pre-training: cells that begin with trained weights, so that what follows is a fine-tuning."""

from collections.abc import Iterator
from math import ceil
from typing import Annotated, Any

from pydantic import Field

from batchlab.datasets import Dataset, Info
from batchlab.errors import Fault, SpecError
from batchlab.kinds import Strict

MOST_ROWS = 500_000
"""Rows that a pre-training may see in all: it is not cut into slices, so a worker is held for as long as it takes."""


class Pretraining(Strict):
    """Plain SGD on other data, once for all cells: the weights with which each of them begins."""

    dataset: Dataset
    """What is learnt first: rows of the same shape and as many classes as in what follows."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Rows per update."""
    lr: Annotated[float, Field(gt=0)]
    """The learning rate, which stays."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Heavy-ball momentum."""
    epochs: Annotated[int, Field(ge=1)]
    """Passes over its training rows."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Draws its first weights, its order of rows and which rows are held out of it, the same for all cells. Where both
    data sets are parts of one, give `split_seed` the same number: then what validates is seen in neither training."""

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self.epochs * ceil(int(self.dataset.train_rows()) / self.batch_size)

    def check(self, info: Info, model: Any) -> None:
        """SpecError, with paths from here, where this cannot come before a training of `model` on data like `info`."""
        if model.gives_loss:
            raise SpecError.at((), "a surface has no rows to learn from beforehand: leave this out")
        if self.dataset.kind == "user":
            text = "an added data set is for what follows: pre-train on one that the lab brings along"
            raise SpecError.at(("dataset", "kind"), text)
        self.dataset.check()
        faults = list(self._faults(info, model))
        if faults:
            raise SpecError(faults)

    def _faults(self, info: Info, model: Any) -> Iterator[Fault]:
        own, rows = self.dataset.info(), self.dataset.train_rows()
        if own.shape != info.shape:
            yield Fault(("dataset",), f"has rows of the shape {own.shape}, what follows {info.shape}: choose another")
        if own.classes != info.classes:
            of = ["numbers" if classes is None else f"{classes} classes" for classes in (own.classes, info.classes)]
            yield Fault(("dataset",), f"has {of[0]}, what follows {of[1]}: choose another")
        if self.batch_size > rows:
            yield Fault(("batch_size",), f"is more than the {rows} training rows: use at most {rows}")
        if self.batch_size == 1 and model.together > 1:
            yield Fault(("batch_size",), "batch norm cannot learn from one row: use at least 2")
        if self.epochs * rows > MOST_ROWS:
            text = f"{self.epochs} x {rows} rows are over the limit of {MOST_ROWS}: fewer epochs, or `take` fewer rows"
            yield Fault(("epochs",), text)
