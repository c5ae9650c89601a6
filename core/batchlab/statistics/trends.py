"""Trends along an ordered axis, one number for each seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of the least-squares line through at least two points of different x."""
    across = np.asarray(x, dtype=np.float64) - np.mean(x)
    return float(across @ (np.asarray(y, dtype=np.float64) - np.mean(y)) / (across @ across))


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's correlation: Pearson's of the ranks, ties sharing theirs; 0 where either has no order at all."""
    a, b = (_ranks(np.asarray(values, dtype=np.float64)) for values in (x, y))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def _ranks(values: Floats) -> Floats:
    below = (values[:, None] > values).sum(1)
    equal = (values[:, None] == values).sum(1)
    return np.asarray(below + (equal - 1) / 2.0)


@dataclass(frozen=True)
class TwoWay:
    """Shares of a table's variance: what its rows explain, what its columns do, and what only both together do."""

    rows: float
    columns: float
    interaction: float


def two_way(table: Sequence[Sequence[float]]) -> TwoWay | None:
    """Decompose a full table of one value a place (Fisher 1925); None where all values are equal."""
    y = np.asarray(table, dtype=np.float64)
    centred = y - y.mean()
    total = float((centred**2).sum())
    if total == 0:
        return None
    rows, columns = centred.mean(1), centred.mean(0)
    by_rows, by_columns = float((rows**2).sum()) * y.shape[1], float((columns**2).sum()) * y.shape[0]
    rest = float(((centred - rows[:, None] - columns) ** 2).sum())
    return TwoWay(by_rows / total, by_columns / total, rest / total)
