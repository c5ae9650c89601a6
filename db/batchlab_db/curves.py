"""Reading series: a range of steps, thinned to a number of points, at a cost that the number of points sets.

The range is picked first, then the finest level of the pyramid that has few enough buckets within it. A bucket that
the range cuts counts only what lies inside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from batchlab_db.picking import FOREVER, Picked, Wanted, pick
from batchlab_db.pyramid import BITS, Buckets, Float32s, Steps

__all__ = ["FOREVER", "Curve", "Wanted", "read", "read_alike", "read_many", "since"]


@dataclass(frozen=True)
class Curve:
    """A thinned series: arrays (k,) by ascending step. A bucket stands at its last stored step.

    At level 0 every stored value is a point, as it was written: not finite where it was not. Above it, mean, min and
    max are over the finite values of a bucket and NaN where it has none; the first and the last value of the range are
    points of their own, beside the buckets that hold them.
    """

    steps: Steps
    mean: Float32s
    min: Float32s
    max: Float32s
    n_raw: int
    level: int

    @property
    def exact(self) -> bool:
        """Whether every stored value is a point."""
        return self.level == 0


def read(
    connection: Connection, cell_id: int, metric: str, first: int = 0, last: int = FOREVER, *, points: int = 1000
) -> Curve:
    """One metric of one cell within steps `first .. last`, in at most `points` points (but no fewer than 3).

    Empty where nothing is stored.
    """
    return read_many(connection, [Wanted(cell_id, metric, first, last)], points)[0]


def read_many(connection: Connection, wanted: Sequence[Wanted], points: int = 1000) -> list[Curve]:
    """As `read`, for many at once: a curve for each, in order, every one at the level that suits it."""
    return [_curve(one) if one else _nothing() for one in pick(connection, wanted, points)]


def read_alike(connection: Connection, wanted: Sequence[Wanted], points: int = 1000) -> list[Curve]:
    """As `read_many`, for series that are to be merged: all at the level that suits the longest, equal buckets at
    equal steps, and only those first and last values for themselves that no other series goes beyond.
    """
    picked = pick(connection, wanted, points, alike=True)
    found = [one for one in picked if one]
    if not found or found[0].level == 0:
        return [_curve(one) if one else _nothing() for one in picked]
    whole = min(one.stretches.start for one in found), max(one.stretches.end for one in found)
    drawn = iter(_aligned([_points(one, *whole) for one in found]))
    return [_thinned(one, next(drawn)) if one else _nothing() for one in picked]


def since(
    connection: Connection, spans: Mapping[int, tuple[int, int]], metrics: Iterable[str], points: int = 1000
) -> dict[tuple[int, str], Curve]:
    """What came after a step already told (-1 for none) and up to another that is known to be stored, by cell id.

    Only series that have something there.
    """
    wanted = [Wanted(cell, metric, told + 1, last) for cell, (told, last) in spans.items() for metric in metrics]
    curves = read_many(connection, wanted, points)
    return {(w.cell_id, w.metric): curve for w, curve in zip(wanted, curves, strict=True) if curve.n_raw}


def _nothing() -> Curve:
    values = np.empty(0, dtype=np.float32)
    return Curve(np.empty(0, dtype=np.int64), values, values, values, 0, 0)


def _curve(picked: Picked) -> Curve:
    if picked.level:
        return _thinned(picked, _points(picked, picked.stretches.start, picked.stretches.end))
    steps, values = picked.stretches.values()
    return Curve(steps, values, values, values, picked.n, 0)


def _thinned(picked: Picked, points: tuple[Buckets, Buckets]) -> Curve:
    shown = Buckets.joined(points)
    least, greatest, mean, _ = shown.packed().T
    return Curve(shown.last, mean, least, greatest, picked.n, picked.level)


def _points(picked: Picked, first: int, last: int) -> tuple[Buckets, Buckets]:
    """The values at `first` and `last`, and the buckets with something beside them, each at its last other step."""
    ends = picked.stretches.ends()
    ends = replace(ends, index=ends.index >> BITS * picked.level)
    parts = Buckets.joined([ends, *picked.stretches.between(picked.level)])
    alone = np.isin(parts.last, (first, last))
    others = parts.only(~alone).coarser(0)
    buckets = parts.coarser(0)
    buckets = buckets.only(np.isin(buckets.index, others.index))
    return parts.only(alone), replace(buckets, last=others.last)


def _aligned(drawn: Sequence[tuple[Buckets, Buckets]]) -> list[tuple[Buckets, Buckets]]:
    """The same with equal buckets at equal steps: the last that any of the series has in it."""
    index = np.concatenate([buckets.index for _, buckets in drawn])
    known, inverse = np.unique(index, return_inverse=True)
    last = np.zeros(len(known), dtype=np.int64)
    np.maximum.at(last, inverse, np.concatenate([buckets.last for _, buckets in drawn]))
    return [(ends, replace(buckets, last=last[np.searchsorted(known, buckets.index)])) for ends, buckets in drawn]
