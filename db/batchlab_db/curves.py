"""Reading series: a range of steps, thinned to a number of points, at a cost that the number of points sets.

The range is picked first, then the finest level of the pyramid that has few enough buckets within it. A bucket that
the range cuts counts only what lies inside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection

from batchlab_db import wire
from batchlab_db.pyramid import BITS, LEVELS, Buckets, Float32s, Steps
from batchlab_db.stretches import Stretches

FOREVER = 2**62
"""A step that no cell reaches."""
LEAST_POINTS = 3
"""The first, a bucket and the last."""


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


class Wanted(NamedTuple):
    """A metric of a cell, within steps `first .. last`, both inclusive."""

    cell_id: int
    metric: str
    first: int = 0
    last: int = FOREVER


class Span(NamedTuple):
    """What is stored of something wanted: the first and the last step within the range, and how many values."""

    first: int
    last: int
    n: int


NOTHING = Span(0, -1, 0)


def read(
    connection: Connection, cell_id: int, metric: str, first: int = 0, last: int = FOREVER, *, points: int = 1000
) -> Curve:
    """One metric of one cell within steps `first .. last`, in at most `points` points (but no fewer than 3).

    Empty where nothing is stored.
    """
    return read_many(connection, [Wanted(cell_id, metric, first, last)], points)[0]


def read_many(connection: Connection, wanted: Sequence[Wanted], points: int = 1000) -> list[Curve]:
    """As `read`, for many at once: a curve for each, in order, every one at the level that suits it."""
    found = spans(connection, wanted)
    return _fetch(connection, wanted, found, [level_for(span, points) for span in found])


def read_alike(connection: Connection, wanted: Sequence[Wanted], points: int = 1000) -> list[Curve]:
    """As `read_many`, all at the level that suits the longest: so that equal buckets can be merged over seeds."""
    found = spans(connection, wanted)
    level = max((level_for(span, points) for span in found), default=0)
    return _fetch(connection, wanted, found, [level] * len(found))


def since(
    connection: Connection, told: dict[int, int], metrics: Iterable[str], points: int = 1000
) -> dict[tuple[int, str], Curve]:
    """What came after the steps already told (cell id -> step, -1 for none): only series that have something new."""
    wanted = [Wanted(cell, metric, step + 1) for cell, step in told.items() for metric in metrics]
    curves = read_many(connection, wanted, points)
    return {(w.cell_id, w.metric): curve for w, curve in zip(wanted, curves, strict=True) if curve.n_raw}


def level_for(span: Span, points: int) -> int:
    """The finest level at which `span` has at most `points` points (at least 3)."""
    points = max(points, LEAST_POINTS)
    if span.n <= points:
        return 0
    level = 1
    while min(span.n, (span.last >> BITS * level) - (span.first >> BITS * level) + 1) + 2 > points:
        level += 1
    return level


_WANTED = "unnest(%(i)s::int[], %(cell)s::bigint[], %(metric)s::text[], %(first)s::bigint[], %(last)s::bigint[]"
_BLOCKS = """
    JOIN LATERAL (
        SELECT * FROM series_blocks b
        WHERE b.cell_id = w.cell AND b.metric = w.metric AND b.first <= w.last AND b.last >= w.first
            -- The one block that may begin before the range and reach into it, and those that follow.
            AND b.first >= coalesce((SELECT max(a.first) FROM series_blocks a
                WHERE a.cell_id = w.cell AND a.metric = w.metric AND a.first <= w.first), w.first)
    ) b ON true
"""
_SPANS = f"""
    SELECT i, min(b.first + low * b.stride), max(b.first + high * b.stride), sum(high - low + 1)::bigint
    FROM {_WANTED}) AS w(i, cell, metric, first, last) {_BLOCKS}
    CROSS JOIN LATERAL (SELECT greatest(0, (w.first - b.first + b.stride - 1) / b.stride) AS low,
                               least(b.n - 1, (w.last - b.first) / b.stride) AS high) cut
    WHERE low <= high GROUP BY i
"""


def _choice(result: str) -> str:
    """SQL: of the coarsest stored level that is fine enough, `result` (a format of `{level}` and `{column}`)."""
    cases = " ".join(
        f"WHEN l{level} IS NOT NULL AND fine >= {level} THEN " + result.format(level=level, column=f"b.l{level}")
        for level in range(LEVELS, 0, -1)
    )
    return f"CASE {cases} ELSE {result.format(level=0, column='b.data')} END"


_STRETCHES = f"""
    SELECT i, b.first, b.n, b.stride, {_choice("{level}")}, {_choice("{column}")}
    FROM {_WANTED}, %(level)s::int[]) AS w(i, cell, metric, first, last, level) {_BLOCKS}
    -- At the ends of the range values are wanted, not buckets.
    CROSS JOIN LATERAL (SELECT CASE WHEN b.first <= w.first OR b.last >= w.last THEN 0 ELSE w.level END AS fine) f
    ORDER BY i, b.first
"""


def spans(connection: Connection, wanted: Sequence[Wanted]) -> list[Span]:
    """How much is stored of each."""
    found = [NOTHING] * len(wanted)
    with wire.cursor(connection) as cursor:
        for i, first, last, n in cursor.execute(_SPANS, _parameters(enumerate(wanted))):
            found[i] = Span(first, last, n)
    return found


def _parameters(wanted: Iterable[tuple[int, Wanted]]) -> dict[str, list[Any]]:
    rows = [(i, *one) for i, one in wanted]
    return {name: [row[k] for row in rows] for k, name in enumerate(("i", "cell", "metric", "first", "last"))}


def _fetch(
    connection: Connection, wanted: Sequence[Wanted], found: Sequence[Span], levels: Sequence[int]
) -> list[Curve]:
    asked = [(i, wanted[i]._replace(first=span.first, last=span.last)) for i, span in enumerate(found) if span.n]
    rows: dict[int, list[Any]] = {i: [] for i, _ in asked}
    parameters = {**_parameters(asked), "level": [levels[i] for i in rows]}
    with wire.cursor(connection) as cursor:
        for i, *row in cursor.execute(_STRETCHES, parameters) if asked else ():
            rows[i].append(row)
    return [_curve(rows.get(i, ()), span, level) for i, (span, level) in enumerate(zip(found, levels, strict=True))]


def _curve(rows: Sequence[Sequence[Any]], span: Span, level: int) -> Curve:
    if not rows:
        nothing = np.empty(0, dtype=np.float32)
        return Curve(np.empty(0, dtype=np.int64), nothing, nothing, nothing, 0, level)
    stretches = Stretches.of_rows(rows, span.first, span.last)
    if level == 0 or span.n <= 2:
        steps, values = stretches.values()
        return Curve(steps, values, values, values, span.n, level)
    return _thinned(stretches, span, level)


def _thinned(stretches: Stretches, span: Span, level: int) -> Curve:
    """Three values or more, as their first, the buckets, and their last."""
    ends = stretches.ends()
    parts = Buckets.joined([replace(ends, index=ends.index >> BITS * level), *stretches.between(level)])
    buckets = parts.coarser(0)
    alone = np.zeros(len(buckets.index), dtype=bool)
    alone[0] |= parts.index[0] != parts.index[1]
    alone[-1] |= parts.index[-1] != parts.index[-2]
    # The last step is taken by the last value itself: its bucket stands at the step before.
    last = np.append(buckets.last[:-1], parts.last[-2])
    points = Buckets.joined([ends, replace(buckets, last=last).only(~alone)])
    least, greatest, mean, _ = points.packed().T
    return Curve(points.last, mean, least, greatest, span.n, level)
