"""Made-up data sets: as many rows as one likes, the same ones for the same `data_seed`, the first of many the few.

Each quantity has a numbered draw of its own, so that more rows leave the earlier ones as they are.
"""

from abc import abstractmethod
from collections.abc import Iterator
from math import pi, prod
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from batchlab import streams
from batchlab.datasets.base import Arrays, DatasetKind, Info, Normalise
from batchlab.errors import Fault

MOST_NUMBERS = 10**8
Floats = NDArray[np.float64]
Spread = Annotated[float, Field(ge=0, le=1000)]
Features = Annotated[int, Field(ge=1, le=10_000)]
Classes = Annotated[int, Field(ge=2, le=1000)]


class _Synthetic(DatasetKind):
    rows: Annotated[int, Field(ge=2, le=10**7)] = 1000
    """Rows of the training part."""
    test_rows: Annotated[int, Field(ge=0, le=10**7)] = 0
    """Further rows that make a test part."""
    normalise: Normalise = "none"

    @property
    @abstractmethod
    def _outline(self) -> tuple[int, int | None]:
        """How many features and classes (None: regression)."""

    @abstractmethod
    def _points(self, n: int) -> tuple[Floats, NDArray[np.generic]]:
        """The first `n` points: float64 (n, features) and labels (n,)."""

    def info(self) -> Info:
        features, classes = self._outline
        return Info(self.rows, self.test_rows, (features,), classes)

    def _faults(self) -> Iterator[Fault]:
        numbers = (self.rows + self.test_rows) * prod(self.info().shape)
        if numbers > MOST_NUMBERS:
            yield Fault(("rows",), f"{numbers} numbers in all, over the limit of {MOST_NUMBERS}: ask for fewer")
        yield from super()._faults()

    def _draw(self, number: int) -> np.random.Generator:
        return streams.generator(self.data_seed, "data", number)

    def _normal(self, number: int, *shape: int) -> Floats:
        return self._draw(number).standard_normal(shape)

    def available(self, folder: Path) -> bool:
        return True

    def load(self, folder: Path) -> Arrays:
        points, found = self._points(self.rows + self.test_rows)
        x, y = points.astype(np.float32), found.astype(np.float32 if self.info().classes is None else np.int64)
        return Arrays(x[: self.rows], y[: self.rows], *((x[self.rows :], y[self.rows :]) if self.test_rows else ()))


class Blobs(_Synthetic):
    """Round clouds of points, one for each class, around centres drawn evenly from a cube of side 20."""

    kind: Literal["blobs"] = "blobs"
    classes: Classes = 3
    """Clouds, of equal size."""
    features: Features = 2
    """Dimensions."""
    spread: Spread = 1.0
    """Standard deviation of each cloud in each dimension."""
    normalise: Normalise = "standard"

    @property
    def _outline(self) -> tuple[int, int | None]:
        return self.features, self.classes

    def _points(self, n: int) -> tuple[Floats, NDArray[np.generic]]:
        centres = self._draw(0).uniform(-10, 10, (self.classes, self.features))
        label = np.arange(n) % self.classes
        return centres[label] + self.spread * self._normal(1, n, self.features), label


class Moons(_Synthetic):
    """Two half circles of radius 1 in the plane, each reaching into the other: no line parts them."""

    kind: Literal["moons"] = "moons"
    noise: Spread = 0.1
    """Standard deviation of what is added to each coordinate."""

    @property
    def _outline(self) -> tuple[int, int | None]:
        return 2, 2

    def _points(self, n: int) -> tuple[Floats, NDArray[np.generic]]:
        label, angle = np.arange(n) % 2, pi * self._draw(0).uniform(size=n)
        upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points = np.where(label[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
        return points + self.noise * self._normal(1, n, 2), label


class Spirals(_Synthetic):
    """Arms of a spiral in the plane, one for each class, from the centre to radius 1."""

    kind: Literal["spirals"] = "spirals"
    classes: Classes = 3
    """Arms."""
    turns: Annotated[float, Field(gt=0, le=20)] = 0.75
    """How often an arm goes round."""
    noise: Spread = 0.02
    """Standard deviation of what is added to each coordinate."""

    @property
    def _outline(self) -> tuple[int, int | None]:
        return 2, self.classes

    def _points(self, n: int) -> tuple[Floats, NDArray[np.generic]]:
        label, radius = np.arange(n) % self.classes, self._draw(0).uniform(size=n)
        angle = 2 * pi * (self.turns * radius + label / self.classes)
        points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return points + self.noise * self._normal(1, n, 2), label


class Teacher(_Synthetic):
    """Normal points labelled by a random network with one hidden layer of tanh: what another network can learn."""

    kind: Literal["teacher"] = "teacher"
    classes: Classes = 2
    """Outputs of the teacher; the largest is the label."""
    features: Features = 20
    """Dimensions of the points."""
    width: Annotated[int, Field(ge=1, le=1000)] = 10
    """Hidden units of the teacher."""

    @property
    def _outline(self) -> tuple[int, int | None]:
        return self.features, self.classes

    def _points(self, n: int) -> tuple[Floats, NDArray[np.generic]]:
        x = self._normal(0, n, self.features)
        first = self._normal(1, self.features, self.width) / np.sqrt(self.features)
        second = self._normal(2, self.width, self.classes) / np.sqrt(self.width)
        # Plain sums: a matrix product's last bits depend on the machine's threads.
        hidden = np.tanh(np.einsum("nf,fw->nw", x, first, optimize=False))
        return x, np.einsum("nw,wc->nc", hidden, second, optimize=False).argmax(axis=1)


class LinearRegression(_Synthetic):
    """Regression on normal features: a fixed linear function of them with noise."""

    kind: Literal["linear_regression"] = "linear_regression"
    features: Features = 10
    """Dimensions of the points."""
    noise: Spread = 0.1
    """Standard deviation of what is added to each label."""
    condition: Annotated[float, Field(ge=1, le=10**6)] = 1.0
    """Largest over smallest variance of the features, which go down from 1 evenly on a log scale."""

    @property
    def _outline(self) -> tuple[int, int | None]:
        return self.features, None

    def _points(self, n: int) -> tuple[Floats, NDArray[np.generic]]:
        scales = np.sqrt(np.geomspace(1.0, 1.0 / self.condition, self.features))
        x = scales * self._normal(1, n, self.features)
        weights = self._normal(0, self.features)
        return x, np.einsum("nf,f->n", x, weights, optimize=False) + self.noise * self._normal(2, n)


class Curve(_Synthetic):
    """Regression on one feature, drawn evenly from -1 .. 1: a curve with noise."""

    kind: Literal["curve"] = "curve"
    function: Literal["line", "sine", "step"] = "sine"
    """`line` y = x, `sine` y = sin(pi x), `step` y = sign(x)."""
    noise: Spread = 0.1
    """Standard deviation of what is added to each label."""

    @property
    def _outline(self) -> tuple[int, int | None]:
        return 1, None

    def _points(self, n: int) -> tuple[Floats, NDArray[np.generic]]:
        x = self._draw(0).uniform(-1, 1, n)
        y = {"line": x, "sine": np.sin(pi * x), "step": np.sign(x)}[self.function]
        return x[:, None], y + self.noise * self._normal(1, n)
