"""Arrays as one safetensors file: equal arrays, equal bytes, whatever their layout in memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save


def pack(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None) -> bytes:
    """The file that keeps `arrays` by name.

    safetensors writes an array's memory from its first byte on, without a look at its strides: a column or a transposed
    array would come back with other values. So each is laid out by rows first (which costs nothing where it is).
    """
    by_rows = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return save(by_rows, metadata=dict(metadata) if metadata else None)
