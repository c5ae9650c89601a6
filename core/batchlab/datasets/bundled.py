"""Data sets that come with the lab: the textbook's, and the real ones that scikit-learn brings."""

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from batchlab.datasets.base import Arrays, DatasetKind, Info, Normalise
from batchlab.errors import DataError


class Sectors(DatasetKind):
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


class _Bundled(DatasetKind):
    def available(self, folder: Path) -> bool:
        return find_spec("sklearn") is not None

    def load(self, folder: Path) -> Arrays:
        if not self.available(folder):
            raise DataError(f"{self.tag()} comes with scikit-learn: install the extra `train`")
        import sklearn.datasets

        bunch = getattr(sklearn.datasets, f"load_{self.tag()}")()
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
