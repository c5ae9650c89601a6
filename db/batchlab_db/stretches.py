"""What came out of the database for one series, put together: raw values, constants and stored levels alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from batchlab_db import wire
from batchlab_db.pyramid import BITS, Buckets, Float32s, Steps


@dataclass(frozen=True)
class Stretches:
    """Rows of one series in order of their steps; `level` says what `arrays` hold. Only `start .. end` counts.

    Rows that reach beyond `start .. end` are of level 0.
    """

    first: Steps
    n: Steps
    stride: Steps
    level: Steps
    arrays: Sequence[Float32s]
    start: int
    end: int

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[Any]], start: int, end: int) -> Self:
        """From rows of first, n, stride, level and array."""
        *numbers, arrays = zip(*rows, strict=True)
        first, n, stride, level = np.array(numbers, dtype=np.int64)
        return cls(first, n, stride, level, [wire.held(array) for array in arrays], start, end)

    @property
    def _sizes(self) -> Steps:
        return np.array([len(array) for array in self.arrays], dtype=np.int64)

    @property
    def _constant(self) -> NDArray[np.bool_]:
        constant: NDArray[np.bool_] = (self._sizes < self.n) & (self.level == 0)
        return constant

    def _rows(self, where: NDArray[np.bool_]) -> "Stretches":
        arrays = [array for array, wanted in zip(self.arrays, where, strict=True) if wanted]
        first, n, stride, level = (column[where] for column in (self.first, self.n, self.stride, self.level))
        return Stretches(first, n, stride, level, arrays, self.start, self.end)

    def values(self) -> tuple[Steps, Float32s]:
        """Every step and its value, where all rows are of level 0."""
        constant = self._constant
        parts = [part for part in (self._rows(~constant)._raw(), self._rows(constant)._repeated()) if len(part[0])]
        steps, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(steps, kind="stable")
        return steps[order], values[order]

    def _raw(self) -> tuple[Steps, Float32s]:
        owner, position = _spread(self.n)
        steps = self.first[owner] + self.stride[owner] * position
        inside = (steps >= self.start) & (steps <= self.end)
        return steps[inside], _concatenated(self.arrays)[inside]

    def _repeated(self) -> tuple[Steps, Float32s]:
        cut = self._cut()
        owner, position = _spread(cut.n)
        return cut.first[owner] + cut.stride[owner] * position, _concatenated(self.arrays)[owner]

    def _cut(self) -> "Stretches":
        """Constants, cut to `start .. end`."""
        low = np.maximum(0, -((self.first - self.start) // self.stride))
        high = np.minimum(self.n - 1, (self.end - self.first) // self.stride)
        return replace(self, first=self.first + low * self.stride, n=np.maximum(0, high - low + 1))

    def ends(self) -> Buckets:
        """The values at `start` and `end`, which are stored (one where they are the same)."""
        places = ((0, self.start), (-1, self.end))[: 1 + (self.end > self.start)]
        values = np.concatenate([self._value(row, step) for row, step in places])
        return Buckets.of_values(np.array([step for _, step in places], dtype=np.int64), values)

    def _value(self, row: int, step: int) -> Float32s:
        array = self.arrays[row]
        position = 0 if len(array) == 1 else (step - int(self.first[row])) // int(self.stride[row])
        return array[position : position + 1]

    def between(self, level: int) -> Iterator[Buckets]:
        """Everything but the two ends, in parts, with the indices of `level`, which none of the rows exceeds."""
        inner = replace(self, start=self.start + 1, end=self.end - 1)
        constant = self._constant
        raw = (self.level == 0) & ~constant
        if constant.any():
            yield inner._rows(constant)._cut()._constants(level)
        if raw.any():
            yield _indexed(Buckets.of_values(*inner._rows(raw)._raw()), 0, level)
        for stored in np.unique(self.level[self.level > 0]).tolist():
            yield _indexed(self._rows(self.level == stored)._stored(stored), stored, level)

    def _stored(self, level: int) -> Buckets:
        owner, position = _spread(self._sizes // 4)
        index = (self.first[owner] >> BITS * level) + position
        _, last = self._within(owner, index, level)
        return Buckets.unpacked(index, last, _concatenated(self.arrays).reshape(-1, 4))

    def _constants(self, level: int) -> Buckets:
        """Buckets of constants that are cut already, without unrolling them."""
        last = self.first + self.stride * (self.n - 1)
        owner, position = _spread(np.where(self.n > 0, (last >> BITS * level) - (self.first >> BITS * level) + 1, 0))
        index = (self.first[owner] >> BITS * level) + position
        count, last = self._within(owner, index, level)
        value = Buckets.of_values(last, _concatenated(self.arrays)[owner])
        whole = replace(value, index=index, total=value.total * count, count=value.count * count)
        return whole.only(count > 0)

    def _within(self, owner: Steps, index: Steps, level: int) -> tuple[Steps, Steps]:
        """How many steps of the row `owner` lie in the bucket `index`, and the last of them."""
        first, stride = self.first[owner], self.stride[owner]
        before = [
            np.clip(-((first - (edge << BITS * level)) // stride), 0, self.n[owner]) for edge in (index, index + 1)
        ]
        return before[1] - before[0], first + stride * (before[1] - 1)


def _indexed(buckets: Buckets, have: int, level: int) -> Buckets:
    return replace(buckets, index=buckets.index >> BITS * (level - have))


def _concatenated(arrays: Sequence[Float32s]) -> Float32s:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.float32)


def _spread(counts: Steps) -> tuple[Steps, Steps]:
    """For counts (r,): the owner of each of their sum many items, and its position with its owner."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
