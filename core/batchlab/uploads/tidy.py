"""Checking arrays, and putting them into the form in which they are kept: x uint8 or float32, y int64 or float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchlab.datasets import user
from batchlab.errors import DataError
from batchlab.uploads.base import Limits, Raw, Task, Upload

FEWEST_ROWS = 2
COLOURS = (1, 3, 4)
"""Channels by which a last axis is known for one."""


def tidy(raw: Raw, limits: Limits, task: Task | None = None) -> Upload:
    """The upload that these arrays make; DataError, with the place, for what no training could use."""
    parts = {"x": raw.x, "y": raw.y}
    if raw.x_test is not None and raw.y_test is not None:
        parts |= {"x_test": raw.x_test, "y_test": raw.y_test}
    _check_rows(parts)
    kept = {name: _features(name, parts[name]) for name in parts if name.startswith("x")}
    if "x_test" in kept and kept["x_test"].shape[1:] != kept["x"].shape[1:]:
        raise DataError(f"rows of x_test have the shape {raw.x_test.shape[1:]}, those of x {raw.x.shape[1:]}")  # type: ignore[union-attr]
    labels = {name: _plain(parts[name].reshape(-1)) for name in parts if name.startswith("y")}
    classes = _classes(labels, limits) if _is_classification(labels, task) else None
    kept |= {name: _labels(name, values, classes) for name, values in labels.items()}
    return Upload(*user.packed(kept, classes))


def _check_rows(parts: dict[str, NDArray[Any]]) -> None:
    for x, y in (("x", "y"), ("x_test", "y_test")):
        if x not in parts:
            continue
        shape, rows = parts[x].shape, parts[x].shape[0] if parts[x].ndim else 0
        if not 2 <= len(shape) <= 4 or 0 in shape[1:]:
            form = "(rows, features), (rows, height, width) or (rows, channels, height, width)"
            raise DataError(f"{x} has the shape {shape}: give {form}, pictures also with the channels last")
        if rows < (FEWEST_ROWS if x == "x" else 1):
            raise DataError(f"{x} has {rows} rows: too few to train on" if x == "x" else f"{x} has no rows")
        if parts[y].shape not in ((rows,), (rows, 1)):
            raise DataError(f"{y} has the shape {parts[y].shape}: give one label for each of the {rows} rows of {x}")


def _features(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Rows of features, or pictures with their channels first; bytes stay bytes."""
    if values.dtype != np.uint8:
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        _check_finite(name, values)
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and values.shape[3] in COLOURS and values.shape[1] not in COLOURS:
        values = values.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(values)


def _check_finite(name: str, values: NDArray[Any]) -> None:
    flat = values.reshape(len(values), -1)
    bad = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if bad.size:
        raise DataError(f"{name} is not finite in {bad.size} rows, the first of them row {bad[0]} (from 0), as float32")


def _is_classification(labels: dict[str, NDArray[Any]], task: Task | None) -> bool:
    return task == "classification" if task else all(values.dtype.kind in "bui" for values in labels.values())


def _classes(labels: dict[str, NDArray[Any]], limits: Limits) -> int:
    """How many classes there are: every one of 0 .. classes - 1 has a training row."""
    for name, values in labels.items():
        wrong = np.flatnonzero(~((values >= 0) & (values < limits.classes) & (values == np.floor(values))))
        if wrong.size:
            text = f"{name} holds {values[wrong[0]]} in row {wrong[0]} (from 0)"
            raise DataError(f"{text}: classes are whole numbers from 0, at most {limits.classes} of them")
    counts = np.bincount(labels["y"].astype(np.int64))
    if not counts.all():
        gap = int(np.flatnonzero(counts == 0)[0])
        raise DataError(
            f"no training row has the class {gap}, and some have {len(counts) - 1}: number them without gaps"
        )
    if len(counts) < 2:
        raise DataError("every row has the class 0: there is nothing to tell apart")
    if "y_test" in labels and labels["y_test"].max() >= len(counts):
        raise DataError(f"y_test holds the class {labels['y_test'].max()}, which no training row has")
    return len(counts)


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Yes and no are classes, too."""
    return values.astype(np.int64) if values.dtype == np.bool_ else values


def _labels(name: str, values: NDArray[Any], classes: int | None) -> NDArray[Any]:
    if classes is not None:
        return values.astype(np.int64)
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    _check_finite(name, numbers)
    return numbers
