"""Randomness by counters: every draw is a pure function of a seed, a stream's name and a number.

Philox (Salmon et al. 2011) keyed by (seed, stream), its counter set by the epoch: any slice can be resumed anywhere,
every engine sees the same batches, and two cells differ only in what the spec says.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Stream = Literal[
    "split", "order", "init", "dropout", "take", "noise", "data", "augment", "jitter",
    "probe", "sample", "direction", "subspace", "start", "path",
]  # fmt: skip
_NUMBERS: dict[Stream, int] = {
    "split": 1,
    "order": 2,
    "init": 3,
    "dropout": 4,
    # Of data sets: the rows of a subset, wrong labels, made-up points.
    "take": 10,
    "noise": 11,
    "data": 12,
    # Of an epoch: what happens to each picture; of an update: noise on its rows.
    "augment": 21,
    "jitter": 22,
    # Of a probe: the rows of a batch.
    "probe": 23,
    # Of analyses: which rows, random directions, random subspaces, where a search starts, points of a path.
    "sample": 31,
    "direction": 32,
    "subspace": 33,
    "start": 34,
    "path": 35,
}
Rows = NDArray[np.int64]


def generator(seed: int, stream: Stream, number: int = 0) -> np.random.Generator:
    """The generator of draw `number` (an epoch, say) of `stream` under `seed` (0 .. 2**63 - 1)."""
    key = np.array([seed, _NUMBERS[stream]], dtype=np.uint64)
    counter = np.array([0, 0, number, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def permutation(n: int, seed: int, stream: Stream, number: int = 0) -> Rows:
    """The rows 0 .. n - 1 in a random order: int64, shape (n,)."""
    return generator(seed, stream, number).permutation(n)


def torch_seed(seed: int, stream: Stream, number: int = 0) -> int:
    """A seed for torch's own generators, for draw `number` of `stream`: 63 bits."""
    return int(generator(seed, stream, number).integers(0, 2**63))
