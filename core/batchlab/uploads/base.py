"""What is read from a user's file, and how much of it."""

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from batchlab.datasets.user import Facts

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Limits:
    """The most that a data set may be."""

    bytes: int
    """Of its arrays, as they lie in the file (npz) or as float32 (csv)."""
    columns: int = 10_000
    """Of a csv file."""
    line_bytes: int = 2**20
    """Of a line of a csv file."""
    classes: int = 10_000


@dataclass(frozen=True)
class Raw:
    """Arrays as the file has them, nothing checked but their size; `y` without a type yet where it is text."""

    x: NDArray[Any]
    y: NDArray[Any]
    x_test: NDArray[Any] | None = None
    y_test: NDArray[Any] | None = None


@dataclass(frozen=True)
class Upload:
    """A data set in the form in which it is kept: one file of bytes, and the facts about it."""

    data: bytes
    facts: Facts
