"""The two forms of a CIFAR file: records of bytes, and pickles, of which nothing is executed.

A pickle is a program for a small machine that calls whatever it names. Here it may name the few things with which
an array is written, and gets inert stand-ins for them: bytes, numbers, lists and dicts come out, or an error.
"""

import io
import pickle
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


def records(data: bytes, before: int, pixels: int) -> Batch:
    """Pictures (n, pixels) and classes (n,) from records: `before` bytes of labels, the last the class, then pixels."""
    if not data or len(data) % (before + pixels):
        raise ValueError(f"{len(data)} bytes are no records of {before + pixels}")
    rows = np.frombuffer(data, np.uint8).reshape(-1, before + pixels)
    return rows[:, before:], rows[:, before - 1].astype(np.int64)


def pickled(data: bytes, key: str, pixels: int) -> Batch:
    """Pictures (n, pixels) and classes (n,) from a pickled dict of `data` and `key`; ValueError for anything else."""
    try:
        found = _Inert(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # whatever a hostile or broken pickle makes its machine stumble over
        raise ValueError(f"a pickle that holds more than a batch of pictures ({error})") from error
    if not isinstance(found, dict):
        raise ValueError("a pickle of something else than a batch of pictures")
    named = {name.decode() if isinstance(name, bytes) else name: value for name, value in found.items()}
    array, labels = named.get("data"), named.get(key)
    if not isinstance(array, _Array) or not isinstance(labels, list):
        raise ValueError(f"a batch without pictures or without {key}")
    pictures = array.pixels(pixels)
    if len(labels) != len(pictures) or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise ValueError(f"{key} are no classes of {len(pictures)} pictures")
    return pictures, np.array(labels, np.int64)


class _Array:
    """What stands for a numpy array while its pickle is read: keeps its state, looks at it afterwards."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def pixels(self, width: int) -> NDArray[np.uint8]:
        """The bytes as an array (n, width); ValueError where the state is none of a plain array of bytes."""
        match self.state:
            case (1, (int(rows), int(columns)), _Type(kind=b"u1" | "u1"), bool(columns_first), bytes(raw)):
                if columns != width or not rows > 0 or len(raw) != prod((rows, columns)):
                    raise ValueError(f"pictures of {columns} bytes instead of {width}")
                return np.frombuffer(raw, np.uint8).reshape((rows, columns), order="F" if columns_first else "C")
        raise ValueError("pictures that are no plain array of bytes")


class _Type:
    """What stands for a numpy dtype."""

    def __init__(self, kind: Any = None, *_: Any) -> None:
        self.kind = kind

    def __setstate__(self, state: Any) -> None:
        """Byte order and fields, which a type of one byte has not."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin-1" if encoding == "latin1" else "ascii")


STAND_INS = {
    ("_codecs", "encode"): _encode,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
}
"""All that a pickle may name: what Python 2 wrote into the official files, and what Python 3 writes in its place."""


class _Inert(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return STAND_INS[module, name]
