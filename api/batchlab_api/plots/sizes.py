"""Batch sizes over training as they were planned: without the short batch that ends an epoch."""

import numpy as np
from numpy.typing import NDArray

from batchlab_api.plots.curves import Floats, floats
from batchlab_api.plots.source import Row

POINTS, MAX_VALUES = 5_000, 100_000
"""Points of a series, and of all together, that are asked for: a staircase is exact only where every update is told."""
NOTE = "without the short batch at the end of an epoch"


def points(series: int) -> int:
    """How many points to ask for of each of so many series."""
    return max(40, min(POINTS, MAX_VALUES // max(series, 1)))


def planned(series: Row) -> Row:
    """A series of batch sizes as the corners of a staircase, each point the largest batch that it stands for.

    A point below both of its neighbours is a remainder, and so is a last one below the one before it. Where seeds
    differ (a batch that grows by what was measured) the series stays as it is: their mean is what there is to show.
    """
    if _seeds_differ(series):
        return series
    sizes = _closed(floats(series.get("max") or series["mean"]))
    corners = _corners(sizes)
    kept = {"x": floats(series["x"])[corners].tolist(), "mean": sizes[corners].tolist()}
    return {**series, **kept, "lo": None, "hi": None, "exact": True}


def _seeds_differ(series: Row) -> bool:
    if not series.get("lo"):
        return False
    mean, low = floats(series["mean"]), floats(series["lo"])
    return bool(np.nanmax(mean - low, initial=0.0) > 1e-6 * np.nanmax(mean, initial=1.0))


def _closed(sizes: Floats) -> Floats:
    if len(sizes) < 2:
        return sizes
    inner = np.maximum(sizes[1:-1], np.minimum(sizes[:-2], sizes[2:]))
    return np.concatenate([sizes[:1], inner, [max(sizes[-1], sizes[-2])]])


def _corners(sizes: Floats) -> NDArray[np.bool_]:
    """Which points a staircase needs: both ends, and those that differ from a neighbour."""
    change = np.diff(sizes) != 0
    corners: NDArray[np.bool_] = np.concatenate([[True], change]) | np.concatenate([change, [True]])
    return corners
