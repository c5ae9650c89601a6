"""What every data set has: facts known before anything is loaded, arrays, and how rows are chosen from them."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag

from batchlab.errors import Fault, SpecError
from batchlab.kinds import Kind

Normalise = Literal["none", "standard"]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def _validation_form(value: Any) -> str:
    return {str: "part", float: "fraction"}.get(type(value), "rows")


Validation = Annotated[
    Annotated[Literal["test", "train"], Tag("part")]
    | Annotated[int, Field(ge=1), Tag("rows")]
    | Annotated[float, Field(gt=0, lt=1), Tag("fraction")],
    Discriminator(_validation_form),
]


@dataclass(frozen=True)
class Info:
    """Facts about a data set. `shape` is one row's; `classes` is None in regression."""

    rows: int
    test_rows: int
    shape: tuple[int, ...]
    classes: int | None
    sha256: str | None = None
    """Of the loaded arrays, as `Arrays.sha256` computes it, where it is known beforehand."""

    @property
    def task(self) -> Literal["classification", "regression"]:
        """Whether labels are classes or numbers."""
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
    before: "Arrays | None" = None
    """The data set of the pre-training, for a cell that has one."""

    def sha256(self) -> str:
        """Over the bytes of x, y and the test part's, in this order (C order, little-endian)."""
        parts = [part for part in (self.x, self.y, self.x_test, self.y_test) if part is not None]
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


class DatasetKind(Kind):
    """The base of every data set: which rows are trained on, which validate, and how they are scaled."""

    family: ClassVar[str] = "datasets"
    facts: ClassVar[Info]
    bundled: ClassVar[bool] = True
    """Whether it needs no download."""
    everywhere: ClassVar[bool] = False
    """Whether every worker has it, whatever its data folder holds."""

    validation: Validation | None = None
    """`"test"` (the default where the set ships a test part), or a fraction or a number of rows held out of training
    (default 0.2), drawn by the cell's seed unless `split_seed` is given; `"train"`: the training rows themselves, for
    sets so small that nothing can be held out."""
    normalise: Normalise = "standard"
    """`standard`: mean 0 and standard deviation 1 by the training rows (per channel for images, else per feature)."""
    take: Annotated[int, Field(ge=1)] | None = None
    """How many rows to train on, of those that are not held out (default: all of them)."""
    take_from: Literal["drawn", "first"] = "drawn"
    """Which rows `take` means: drawn by `data_seed`, a larger number holding every smaller one; or the set's first."""
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of the training rows that get a wrong label, drawn by `data_seed`; validation keeps the right ones."""
    data_seed: Seed = 0
    """Draws what belongs to the data and not to a run: made-up points, the rows of `take`, wrong labels."""

    def info(self) -> Info:
        """Static facts, known before anything is loaded."""
        return self.facts

    def check(self) -> None:
        """Raise SpecError (with the path from the spec's root) where what is asked for does not fit the data."""
        faults = list(self._faults())
        if faults:
            raise SpecError([Fault(("dataset", *fault.loc), fault.msg) for fault in faults])

    def _faults(self) -> Iterator[Fault]:
        """What is wrong, with paths within the data set; families add their own."""
        info, choice = self.info(), self.validation
        if choice == "test" and info.test_rows == 0:
            text = "this data set ships no test part: give a fraction such as 0.2 or a number of rows"
            yield Fault(("validation",), text)
        elif isinstance(choice, int) and choice >= info.rows:
            yield Fault(("validation",), f"must leave training rows: the data set has {info.rows}")
        elif not 0 <= self.held_out < info.rows or (self.held_out == 0 and self._choice not in ("test", "train")):
            yield Fault(("validation",), f"leaves no rows of {info.rows} for one of the parts")
        elif self.take is not None and self.take > info.rows - self.held_out:
            yield Fault(("take",), f"there are {info.rows - self.held_out} rows to train on: take at most so many")
        if self.label_noise and info.classes is None:
            yield Fault(("label_noise",), "needs classes: leave it out in regression")

    @property
    def _choice(self) -> Any:
        if self.validation is not None:
            return self.validation
        return "test" if self.info().test_rows else 0.2

    @property
    def held_out(self) -> int:
        """Rows taken out of the training part for validation (0: the test part or the training rows validate)."""
        choice = self._choice
        if choice in ("test", "train"):
            return 0
        return choice if isinstance(choice, int) else int(np.floor(choice * self.info().rows + 0.5))

    def train_rows(self) -> int:
        """N, the rows that are trained on."""
        return self.take if self.take is not None else self.info().rows - self.held_out

    @abstractmethod
    def load(self, folder: Path) -> Arrays:
        """Read the data; `folder` is the data folder. Raises DataError with the remedy where it is not there."""

    @abstractmethod
    def available(self, folder: Path) -> bool:
        """Whether `load` would find the data without a download."""

    def fetch(self, folder: Path, mirrors: Sequence[str] = ()) -> None:
        """Download into the data folder what `load` needs (nothing for bundled sets); DataError when it cannot."""

    @classmethod
    def at_hand(cls, folder: Path) -> bool:
        """Whether a worker with this data folder can load this kind without a download from elsewhere."""
        return cls.everywhere or cls().available(folder)
