"""Training states as bytes: safetensors, with the small facts as JSON in its header. Nothing is ever unpickled."""

import json

from safetensors import SafetensorError
from safetensors.numpy import load

from batchlab.engines.base import State, Weights
from batchlab.errors import DataError
from batchlab.packing import pack

NET = "net/"
"""Before the names of weights in a training state."""
HEADER = 8
"""Bytes of the little-endian length before a safetensors header."""


def to_bytes(state: State) -> bytes:
    """The state as one safetensors file."""
    return pack(state.arrays, {"batchlab": json.dumps(state.meta)})


def from_bytes(data: bytes) -> State:
    """The state that `to_bytes` wrote; DataError where the bytes are damaged."""
    try:
        arrays = load(data)
        size = int.from_bytes(data[:HEADER], "little")
        meta = json.loads(json.loads(data[HEADER : HEADER + size])["__metadata__"]["batchlab"])
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"a damaged checkpoint ({error})") from error
    return State(arrays, meta)


def weights_to_bytes(weights: Weights) -> bytes:
    """A network's weights as one safetensors file, without anything else: equal weights, equal bytes."""
    return pack(weights)


def weights_from_bytes(data: bytes) -> Weights:
    """The weights that `weights_to_bytes` wrote; DataError where the bytes are damaged."""
    try:
        return load(data)
    except (SafetensorError, ValueError) as error:
        raise DataError(f"damaged weights ({error})") from error


def weights_of(state: State) -> Weights:
    """The weights within a training state."""
    return {name.removeprefix(NET): array for name, array in state.arrays.items() if name.startswith(NET)}
