"""Data sets: rows and labels, with static facts known before anything is loaded (the api resolves "10%" with them)."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag, field_validator

from batchlab import idx, streams
from batchlab.errors import DataError, SpecError
from batchlab.kinds import Kind, union

CHUNK = 4096
"""Rows whose moments are taken at once."""
Normalise = Literal["none", "standard"]
Part = tuple[NDArray[Any], NDArray[Any]]
"""Rows and their labels."""


def _validation_form(value: Any) -> str:
    return {str: "test", float: "fraction"}.get(type(value), "rows")


Validation = Annotated[
    Annotated[Literal["test"], Tag("test")]
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

    def sha256(self) -> str:
        """Over the bytes of x, y and the test part's, in this order (C order, little-endian)."""
        parts = [part for part in (self.x, self.y, self.x_test, self.y_test) if part is not None]
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


@dataclass(frozen=True)
class Split:
    """The parts of a cell's data, normalised; a test part only where it is not the validation set."""

    train: Part
    validation: Part
    test: Part | None = None


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
        """Static facts, known before anything is loaded."""
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

    def fetch(self, folder: Path, mirrors: Sequence[str] = ()) -> None:
        """Download into the data folder what `load` needs (nothing for bundled sets); DataError when it cannot."""


class Sectors(_Dataset):
    """The textbook's three sectors of the unit square: 1000 points of two features, rounded to two decimals."""

    kind: Literal["sectors"] = "sectors"
    facts: ClassVar[Info] = Info(1000, 0, (2,), 3, "63704069a7ad21eb01ff75552e4b8edfb16b44f20d41d487315baca81949c122")
    normalise: Normalise = "none"

    def load(self, folder: Path) -> Arrays:
        rng = np.random.RandomState(10)  # the legacy generator, whose stream numpy has frozen
        x, y = rng.uniform(size=1000), rng.uniform(size=1000)
        first = (y > x) & (y > -0.5 * x + 0.75)
        second = (y > 2 * x - 0.5) & (y < -0.5 * x + 0.75)
        label = np.where(first, 1, np.where(second, 2, 0))
        return Arrays(np.round(np.stack([x, y], axis=1), 2).astype(np.float32), label.astype(np.int64))

    def available(self, folder: Path) -> bool:
        return True


class _Bundled(_Dataset):
    def available(self, folder: Path) -> bool:
        return find_spec("sklearn") is not None

    def load(self, folder: Path) -> Arrays:
        if not self.available(folder):
            raise DataError(f"{self.name()} comes with scikit-learn: install the extra `train`")
        import sklearn.datasets

        bunch = getattr(sklearn.datasets, f"load_{self.name()}")()
        x = np.asarray(bunch.data, np.float32).reshape(-1, *self.facts.shape)
        return Arrays(x, np.asarray(bunch.target, np.float32 if self.facts.classes is None else np.int64))


class Digits(_Bundled):
    """Handwritten digits, 8x8 pixels of 0 .. 16 (UCI optical recognition test part, from scikit-learn)."""

    kind: Literal["digits"] = "digits"
    facts: ClassVar[Info] = Info(
        1797, 0, (1, 8, 8), 10, "faf2d98f61250c1cdc0b114323133d3c58da04f5c5d28bb78e4bde3c936a75b1"
    )


class Iris(_Bundled):
    """Fisher's irises: four lengths in cm, three species (from scikit-learn)."""

    kind: Literal["iris"] = "iris"
    facts: ClassVar[Info] = Info(150, 0, (4,), 3, "879b81724528964779983358162a724401de00141f8cb9c922d27f908396b8c7")


class Wine(_Bundled):
    """Chemical analyses of wines of three cultivars (from scikit-learn)."""

    kind: Literal["wine"] = "wine"
    facts: ClassVar[Info] = Info(178, 0, (13,), 3, "300d849b9eb766c3058bcebb4f806f42766e213cbcd8402c411d3d592747e011")


class BreastCancer(_Bundled):
    """Features of cell nuclei, malignant or benign (Wisconsin, from scikit-learn)."""

    kind: Literal["breast_cancer"] = "breast_cancer"
    facts: ClassVar[Info] = Info(569, 0, (30,), 2, "f86286b06e0eb4fbbb699d6ba5df7f1432e65642369ae111d0e47b47d02338bc")


class Diabetes(_Bundled):
    """Regression: a measure of disease progression (25 .. 346) from ten features (from scikit-learn)."""

    kind: Literal["diabetes"] = "diabetes"
    facts: ClassVar[Info] = Info(
        442, 0, (10,), None, "dfe8bf10292413576e3fd58c22ce77ad4ab87ab7db3990a2780b756ac685c9dd"
    )


class _Idx(_Dataset):
    source: ClassVar[idx.Source]

    def available(self, folder: Path) -> bool:
        return len(idx.find(folder, self.source)) == len(idx.PARTS)

    def fetch(self, folder: Path, mirrors: Sequence[str] = ()) -> None:
        idx.fetch(folder, self.source, mirrors)

    def load(self, folder: Path) -> Arrays:
        paths = idx.find(folder, self.source)
        missing = [part for part in idx.PARTS if part not in paths]
        if missing:
            raise DataError(
                f"{self.name()} is not in {folder}: run `batchlab data fetch {self.name()}`, or put "
                f"{', '.join(f'{part}.gz' for part in missing)} in {folder / self.source.folders[0]}"
            )
        x, y, x_test, y_test = (idx.read(paths[part], part, self.source) for part in idx.PARTS)
        return Arrays(_pixels(x), y.astype(np.int64), _pixels(x_test), y_test.astype(np.int64))


class Mnist(_Idx):
    """Handwritten digits, 28x28 pixels of 0 .. 1 (LeCun, Cortes & Burges); ships a test part."""

    kind: Literal["mnist"] = "mnist"
    facts: ClassVar[Info] = Info(
        60000, 10000, (1, 28, 28), 10, "55c41ac0f5a8c45648c69c8349247c8db8573ea50fafdc37b5123844f825fae0"
    )
    source: ClassVar[idx.Source] = idx.MNIST


class FashionMnist(_Idx):
    """Pictures of clothes, 28x28 pixels of 0 .. 1 (Xiao, Rasul & Vollgraf 2017); ships a test part."""

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    facts: ClassVar[Info] = Info(60000, 10000, (1, 28, 28), 10)
    source: ClassVar[idx.Source] = idx.FASHION_MNIST


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images[:, None].astype(np.float32) / np.float32(255)


def split(dataset: Any, data: Arrays, seed: int) -> Split:
    """Training, validation and test rows of a cell whose split seed is `seed`, normalised as the data set says."""
    train, validation, test = _parts(data, dataset.held_out, seed)
    mean, sd = moments(train[0]) if dataset.normalise == "standard" else (np.float32(0), np.float32(1))
    return Split(*((_scaled(x, mean, sd), y) for x, y in (train, validation, *test)))


def _parts(data: Arrays, held_out: int, seed: int) -> tuple[Part, Part, list[Part]]:
    test = [] if data.x_test is None or data.y_test is None else [(data.x_test, data.y_test)]
    if held_out == 0:
        return (data.x, data.y), test[0], []
    rows = streams.permutation(len(data.x), seed, "split")
    train, validation = rows[:-held_out], rows[-held_out:]
    return (data.x[train], data.y[train]), (data.x[validation], data.y[validation]), test


def moments(x: NDArray[Any]) -> tuple[Any, Any]:
    """Mean and standard deviation per channel of pictures, per feature of other rows (1 for a constant one): float32.

    Two passes in float64, some rows at a time: a float64 copy of the whole would be twice the data.
    """
    axes = (0, 2, 3) if x.ndim == 4 else (0,)
    chunks = [x[first : first + CHUNK] for first in range(0, len(x), CHUNK)]
    count = x.size // (x.shape[1] if x.ndim == 4 else x[0].size)
    mean = sum(chunk.sum(axes, np.float64, keepdims=True) for chunk in chunks) / count
    sd = np.sqrt(sum(np.square(chunk - mean).sum(axes, keepdims=True) for chunk in chunks) / count)
    return mean[0].astype(np.float32), np.where(sd > 0, sd, 1.0)[0].astype(np.float32)


def _scaled(x: NDArray[Any], mean: Any, sd: Any) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.subtract(x, mean, dtype=np.float32)
    scaled /= sd
    return scaled


Dataset: Any = union("datasets", Sectors, Digits, Iris, Wine, BreastCancer, Diabetes, Mnist, FashionMnist)
