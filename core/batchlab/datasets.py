"""Data sets: rows and labels, with static facts known before anything is loaded (the api resolves "10%" with them)."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from batchlab.errors import SpecError
from batchlab.kinds import Kind, union

Normalise = Literal["none", "standard"]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Rows = Annotated[int, Field(ge=1)]
Validation = Literal["test"] | Rows | Fraction


@dataclass(frozen=True)
class Info:
    """Facts about a data set. `shape` is one row's; `classes` is None in regression."""

    rows: int
    test_rows: int
    shape: tuple[int, ...]
    classes: int | None

    @property
    def task(self) -> Literal["classification", "regression"]:
        return "regression" if self.classes is None else "classification"

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for a row."""
        return self.classes or 1


@dataclass(frozen=True)
class Arrays:
    """A loaded data set, not yet split or normalised: x float32 (rows, *shape), y int64 (rows,) or float32."""

    x: NDArray[Any]
    y: NDArray[Any]
    x_test: NDArray[Any] | None = None
    y_test: NDArray[Any] | None = None


@dataclass(frozen=True)
class Split:
    """Training and validation rows of one cell, normalised; the test part too when it is not the validation set."""

    x_train: NDArray[np.float32]
    y_train: NDArray[Any]
    x_val: NDArray[np.float32]
    y_val: NDArray[Any]
    x_test: NDArray[np.float32] | None = None
    y_test: NDArray[Any] | None = None


class _Dataset(Kind):
    family: ClassVar[str] = "datasets"
    facts: ClassVar[Info]

    validation: Validation | None = None
    """`"test"` (the default where the set ships a test part), or a fraction or a number of rows held out of training
    (default 0.2), drawn by the cell's seed unless `split_seed` is given."""
    normalise: Normalise = "standard"
    """`standard`: mean 0 and standard deviation 1 by the training rows (per channel for images, else per feature)."""

    @field_validator("validation")
    @classmethod
    def _has_test(cls, value: Any) -> Any:
        if value == "test" and cls.facts.test_rows == 0:
            raise ValueError("this data set ships no test part: give a fraction such as 0.2 or a number of rows")
        if isinstance(value, int) and value >= cls.facts.rows:
            raise ValueError(f"must leave training rows: the data set has {cls.facts.rows}")
        return value

    def info(self) -> Info:
        return self.facts

    @property
    def held_out(self) -> int:
        """Rows taken out of the training part for validation (0: the test part validates)."""
        choice = self.validation if self.validation is not None else ("test" if self.facts.test_rows else 0.2)
        if choice == "test":
            return 0
        rows = choice if isinstance(choice, int) else int(np.floor(choice * self.facts.rows + 0.5))
        if not 0 < rows < self.facts.rows:
            raise SpecError.at(("dataset", "validation"), f"leaves no rows of {self.facts.rows} for one of the parts")
        return rows

    def train_rows(self) -> int:
        """N, the rows that are trained on."""
        return self.facts.rows - self.held_out

    @abstractmethod
    def load(self, folder: Path) -> Arrays:
        """Read the data; `folder` is the data folder. Raises DataError with the remedy where it is not there."""

    @abstractmethod
    def available(self, folder: Path) -> bool:
        """Whether `load` would find the data without a download."""
