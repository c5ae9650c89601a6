"""Values in buckets: what a curve is thinned to without losing a spike.

Bucket i of level l covers the steps [i * 8**l, (i + 1) * 8**l). A level is made from the one below it, so the eighth
part of a series costs what it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.int64]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]

BITS = 3
"""A bucket holds 2**3 buckets of the level below."""
LEVELS = 7
"""Levels that can be stored; a reader makes coarser ones itself."""
FEW = 8
"""So many entries are quick to read: no level is stored above them."""


@dataclass(frozen=True)
class Buckets:
    """Buckets in order of their steps: `index` and `last` (k,), the others (.., k), one row a series.

    `count` may be one row for all. `last` is the last stored step of the bucket. A bucket without a finite value has
    `least` inf, `greatest` -inf, `total` 0 and `count` 0.
    """

    index: Steps
    last: Steps
    least: Float32s
    greatest: Float32s
    total: Float64s
    count: Steps

    @classmethod
    def of_values(cls, steps: Steps, values: Float32s) -> Self:
        """Every value a bucket of its own (level 0): steps (n,), values (.., n)."""
        finite = np.isfinite(values)
        if finite.all():
            ones = np.ones((*(1,) * (values.ndim - 1), len(steps)), np.int64)
            return cls(steps, steps, values, values, values.astype(np.float64), ones)
        least = np.where(finite, values, np.float32(np.inf))
        greatest = np.where(finite, values, np.float32(-np.inf))
        return cls(
            steps, steps, least, greatest, np.where(finite, values, 0).astype(np.float64), finite.astype(np.int64)
        )

    @classmethod
    def joined(cls, parts: Sequence["Buckets"]) -> Self:
        """Parts of one series, of one level, put in order of their steps; none of them shares a step with another."""
        order = np.argsort(np.concatenate([part.last for part in parts]), kind="stable")
        return cls(*(np.concatenate(columns)[order] for columns in zip(*map(_columns, parts), strict=True)))

    def coarser(self, levels: int = 1) -> "Buckets":
        """The same so many levels up; with 0, neighbours with equal index become one."""
        index = self.index >> (BITS * levels)
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        ends = np.append(starts, len(index))[1:] - 1
        return Buckets(
            index[starts],
            self.last[ends],
            np.minimum.reduceat(self.least, starts, axis=-1),
            np.maximum.reduceat(self.greatest, starts, axis=-1),
            np.add.reduceat(self.total, starts, axis=-1),
            np.add.reduceat(self.count, starts, axis=-1),
        )

    def only(self, where: NDArray[np.bool_]) -> "Buckets":
        """Those buckets of one series for which `where` (k,) holds."""
        return Buckets(*(column[where] for column in _columns(self)))

    @property
    def mean(self) -> Float64s:
        """Mean of the finite values, NaN where there is none."""
        mean = np.full(self.total.shape, np.nan)
        np.divide(self.total, self.count, out=mean, where=self.count > 0)
        return mean

    def packed(self) -> Float32s:
        """As it is stored: (.., k, 4) least, greatest, mean, count; NaN, NaN, NaN, 0 where no value is finite."""
        count = np.broadcast_to(self.count, self.least.shape)
        packed = np.stack([self.least, self.greatest, self.mean, count], axis=-1, dtype=np.float32, casting="same_kind")
        packed[count == 0, :2] = np.nan
        return packed

    @classmethod
    def unpacked(cls, index: Steps, last: Steps, packed: Float32s) -> Self:
        """The inverse of `packed` for one series: index and last (k,), packed (k, 4)."""
        least, greatest, mean, count = packed.T
        empty = count == 0
        return cls(
            index,
            last,
            np.where(empty, np.float32(np.inf), least),
            np.where(empty, np.float32(-np.inf), greatest),
            np.where(empty, 0, mean.astype(np.float64) * count),
            count.astype(np.int64),
        )


def _columns(buckets: Buckets) -> tuple[NDArray[Any], ...]:
    return (buckets.index, buckets.last, buckets.least, buckets.greatest, buckets.total, buckets.count)


def levels(steps: Steps, values: Float32s) -> dict[int, Float32s]:
    """The levels worth storing of series with equal steps (n,): level -> packed (m, k, 4) of values (m, n).

    None above a level with few buckets, and none that would take as much room as the values themselves.
    """
    found: dict[int, Float32s] = {}
    buckets = Buckets.of_values(steps, values)
    for level in range(1, LEVELS + 1):
        if len(buckets.index) <= FEW:
            break
        buckets = buckets.coarser()
        if 4 * len(buckets.index) <= len(steps):
            found[level] = buckets.packed()
    return found
