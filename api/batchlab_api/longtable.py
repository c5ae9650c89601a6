"""Arrays by name as one long table, a row for each number with its place, or as nested lists."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLACES = ("i", "j", "k")
"""Axes that have a column; further ones are flattened into the last of them."""


def columns(arrays: Mapping[str, NDArray[Any]]) -> dict[str, list[Any]]:
    """`array`, `i`, `j`, `k` (null where an array has no such axis) and `value`, of the rows of all arrays in turn."""
    table: dict[str, list[Any]] = {name: [] for name in ("array", *PLACES, "value")}
    for name, array in sorted(arrays.items()):
        shaped = array.reshape(*array.shape[:2], -1) if array.ndim > len(PLACES) else array
        places = np.indices(shaped.shape).reshape(shaped.ndim, -1)
        table["array"] += [name] * shaped.size
        for axis, place in enumerate(PLACES):
            table[place] += places[axis].tolist() if axis < shaped.ndim else [None] * shaped.size
        table["value"] += list(map(_finite, shaped.astype(float).ravel().tolist()))
    return table


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def nested(arrays: Mapping[str, NDArray[Any]]) -> str:
    """JSON: each array as nested lists, null for what is not finite."""
    return json.dumps({name: _plain(array.tolist()) for name, array in sorted(arrays.items())}, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _finite(value) if isinstance(value, float) else value
