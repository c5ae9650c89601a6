"""From a loaded data set to a cell's parts: split, subset, wrong labels, scaling; every draw by a counter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchlab import streams
from batchlab.datasets.base import Arrays, DatasetKind

CHUNK = 1024
"""Rows whose moments are taken at once: few enough for a cache."""
Part = tuple[NDArray[Any], NDArray[Any]]
"""Rows and their labels."""


@dataclass(frozen=True)
class Split:
    """The parts of a cell's data, normalised; a test part only where it is not the validation set."""

    train: Part
    validation: Part
    test: Part | None = None


def split(dataset: DatasetKind, data: Arrays, seed: int) -> Split:
    """Training, validation and test rows of a cell whose split seed is `seed`, normalised as the data set says."""
    train, validation, test = _parts(dataset, data, seed)
    mean, sd = moments(train[0]) if dataset.normalise == "standard" else (np.float32(0), np.float32(1))
    scaled = _scaled(*train, mean, sd)
    return Split(
        scaled,
        scaled if validation is train else _scaled(*validation, mean, sd),
        *(_scaled(*part, mean, sd) for part in test),
    )


def _parts(dataset: DatasetKind, data: Arrays, seed: int) -> tuple[Part, Part, list[Part]]:
    test = [] if data.x_test is None or data.y_test is None else [(data.x_test, data.y_test)]
    held_out = dataset.held_out
    if held_out == 0:
        train = _training(dataset, data, np.arange(len(data.x)))
        return (train, train, test) if dataset.validation == "train" else (train, test[0], [])
    rows = streams.permutation(len(data.x), seed, "split")
    validation = rows[-held_out:]
    return _training(dataset, data, rows[:-held_out]), (data.x[validation], data.y[validation]), test


def _training(dataset: DatasetKind, data: Arrays, rows: streams.Rows) -> Part:
    """The rows to train on, of `rows`, which are not held out, with the labels that they are trained with."""
    kept = rows if dataset.take is None else taken(dataset, len(data.x), rows)
    x = data.x if len(kept) == len(data.x) and dataset.held_out == 0 else data.x[kept]
    return x, labels(dataset, data.y, kept)


def taken(dataset: DatasetKind, total: int, rows: streams.Rows) -> streams.Rows:
    """The `take` rows of `rows` that come first in the set's order or in a drawn one, in the order they had."""
    rank = np.arange(total) if dataset.take_from == "first" else _ranks(total, dataset.data_seed, "take")
    chosen = np.sort(np.argsort(rank[rows], kind="stable")[: dataset.take])
    return rows[chosen]


def labels(dataset: DatasetKind, y: NDArray[Any], rows: streams.Rows) -> NDArray[Any]:
    """The labels of `rows`; in `label_noise` of them (rounded), a class drawn evenly from the others."""
    right: NDArray[Any] = y[rows]
    wrong = int(np.floor(dataset.label_noise * len(rows) + 0.5))
    if not wrong:
        return right
    chosen = np.argsort(_ranks(len(y), dataset.data_seed, "noise")[rows], kind="stable")[:wrong]
    classes = dataset.info().outputs
    shifts = streams.generator(dataset.data_seed, "noise", 1).integers(1, classes, size=len(y))[rows]
    right[chosen] = (right[chosen] + shifts[chosen]) % classes
    return right


def _ranks(total: int, seed: int, stream: streams.Stream) -> streams.Rows:
    """The place of each row in a drawn order of all rows."""
    ranks = np.empty(total, np.int64)
    ranks[streams.permutation(total, seed, stream)] = np.arange(total)
    return ranks


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


def _scaled(x: NDArray[Any], y: NDArray[Any], mean: Any, sd: Any) -> Part:
    scaled: NDArray[np.float32] = np.subtract(x, mean, dtype=np.float32)
    scaled /= sd
    return scaled, y
