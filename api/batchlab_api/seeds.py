"""Curves of several seeds as one: at each step the mean over the seeds that have a value there, and its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from batchlab.statistics import student_t
from batchlab_db.curves import Curve
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Merged:
    """Arrays (k,) by ascending step; NaN where no seed has a finite value, `lo` and `hi` also where only one has."""

    steps: NDArray[np.int64]
    n: NDArray[np.int64]
    """Seeds with a finite value."""
    mean: Floats
    min: Floats
    max: Floats
    lo: Floats
    """Lower end of the 95 % Student-t interval of the mean."""
    hi: Floats


def merge(read: Sequence[Curve]) -> Merged:
    """Merge curves (at least one, none empty) at equal steps; `min` and `max` are over all the seeds' values."""
    steps = np.unique(np.concatenate([curve.steps for curve in read]))
    means = _matrix(read, steps, "mean")
    finite = np.isfinite(means)
    n = finite.sum(axis=0)
    total = np.where(finite, means, 0.0).sum(axis=0)
    mean = np.divide(total, n, out=np.full(len(steps), np.nan), where=n > 0)
    half = _half_width(np.where(finite, means - mean, 0.0), n)
    lowest = np.fmin.reduce(_matrix(read, steps, "min"), axis=0)
    highest = np.fmax.reduce(_matrix(read, steps, "max"), axis=0)
    return Merged(steps, n, mean, lowest, highest, mean - half, mean + half)


def mean_axis(places: Sequence[Floats], steps: NDArray[np.int64], ends: Sequence[int]) -> Floats:
    """The mean of the places that equal `steps` have for several seeds (they differ on the axis of seconds).

    A seed counts up to its own end, the last step that it has a value at: what ended early, or is behind, says
    nothing about the time of later steps.
    """
    there = steps[np.newaxis, :] <= np.asarray(ends)[:, np.newaxis]
    return np.asarray(np.nanmean(np.where(there, np.stack(places), np.nan), axis=0))


def _matrix(read: Sequence[Curve], steps: NDArray[np.int64], name: str) -> Floats:
    """Values (seeds, steps), NaN where a seed has none or none that is finite."""
    filled = np.full((len(read), len(steps)), np.nan)
    for row, curve in zip(filled, read, strict=True):
        values: NDArray[Any] = getattr(curve, name)
        row[np.searchsorted(steps, curve.steps)] = np.where(np.isfinite(values), values, np.nan)
    return filled


def _half_width(deviations: Floats, n: NDArray[np.int64]) -> Floats:
    """Half of the interval from the deviations (seeds, steps) of `n` values each: t sd / sqrt(n)."""
    many = n > 1
    variance = np.divide((deviations**2).sum(axis=0), n - 1, out=np.full(len(n), np.nan), where=many)
    quantiles = {int(count): student_t(int(count) - 1) for count in np.unique(n[many])}
    t = np.array([quantiles.get(int(count), np.nan) for count in n])
    return np.asarray(t * np.sqrt(variance / np.maximum(n, 1)))
