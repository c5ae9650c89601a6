"""Picking what a curve is made of: the range, the level that is fine enough for it, and the rows at that level.

One statement, hence one moment: blocks that are taken back meanwhile cannot tear a curve.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from batchlab_db import wire
from batchlab_db.pyramid import BITS, LEVELS
from batchlab_db.stretches import Stretches

FOREVER = 2**62
"""A step that no cell reaches."""
LEAST_POINTS = 3
"""The first, a bucket and the last."""


class Wanted(NamedTuple):
    """A metric of a cell, within steps `first .. last`, both inclusive."""

    cell_id: int
    metric: str
    first: int = 0
    last: int = FOREVER


@dataclass(frozen=True)
class Picked:
    """What is stored of something wanted: `n` values within the range, at `level` or finer."""

    n: int
    level: int
    stretches: Stretches


def _choice(result: str) -> str:
    """SQL: of the coarsest stored level that is fine enough, `result` (a format of `{level}` and `{column}`)."""
    cases = " ".join(
        f"WHEN l{level} IS NOT NULL AND fine >= {level} THEN {result.format(level=level, column=f'b.l{level}')}"
        for level in range(LEVELS, 0, -1)
    )
    return f"CASE {cases} ELSE {result.format(level=0, column='b.data')} END"


# The one block that may begin before the range and reach into it, and those that follow.
_BLOCKS = """
    FROM {blocks} b
    WHERE b.cell_id = w.cell_id AND b.metric = w.metric AND b.first <= w.last AND b.last >= w.first
        AND b.first >= coalesce((SELECT max(a.first) FROM series_blocks a
            WHERE a.cell_id = w.cell_id AND a.metric = w.metric AND a.first <= w.first), w.first)
"""
_PICK = f"""
    WITH wanted AS (
        SELECT * FROM unnest(%(i)s::int[], %(cell_id)s::bigint[], %(metric)s::text[], %(first)s::bigint[],
                             %(last)s::bigint[]) AS w(i, cell_id, metric, first, last)
    ), spans AS (
        SELECT w.i, w.cell_id, w.metric, min(b.first + b.stride * b.low) AS first,
            max(b.first + b.stride * b.high) AS last, sum(b.high - b.low + 1)::bigint AS n
        FROM wanted w CROSS JOIN LATERAL (
            SELECT b.first, b.stride, greatest(0, (w.first - b.first + b.stride - 1) / b.stride) AS low,
                least(b.n - 1, (w.last - b.first) / b.stride) AS high {_BLOCKS.format(blocks="series_blocks")}
        ) b WHERE b.low <= b.high GROUP BY w.i, w.cell_id, w.metric
    ), levelled AS (
        SELECT *, CASE WHEN n <= %(points)s THEN 0 ELSE (
            SELECT min(level) FROM generate_series(1, 20) level
            WHERE least(n, (last >> {BITS} * level) - (first >> {BITS} * level) + 1) + 2 <= %(points)s) END AS own
        FROM spans
    ), levels AS (
        SELECT *, CASE WHEN %(alike)s THEN max(own) OVER () ELSE own END AS level FROM levelled
    )
    SELECT i, w.first, w.last, w.n, w.level, b.* FROM levels w CROSS JOIN LATERAL (
        SELECT first, n, stride, {_choice("{level}")}, {_choice("{column}")}
        FROM (
            -- At the ends of the range values are wanted, not buckets.
            SELECT b.*, CASE WHEN b.first <= w.first OR b.last >= w.last THEN 0 ELSE w.level END AS fine
            {_BLOCKS.format(blocks="whole_blocks")}
        ) b
    ) b ORDER BY i, b.first
"""


def pick(connection: Connection, wanted: Sequence[Wanted], points: int, *, alike: bool = False) -> list[Picked | None]:
    """For each in order what gives at most `points` points (at least 3), None where nothing is stored.

    `alike`: all at the level that suits the longest.
    """
    asked: dict[str, Any] = {name: [getattr(one, name) for one in wanted] for name in Wanted._fields}
    asked |= {"i": list(range(len(wanted))), "points": max(points, LEAST_POINTS), "alike": alike}
    rows: dict[int, list[Any]] = defaultdict(list)
    with wire.cursor(connection) as cursor:
        for i, *row in cursor.execute(_PICK, asked).fetchall():
            rows[i].append(row)
    return [_picked(rows[i]) if i in rows else None for i in range(len(wanted))]


def _picked(rows: Sequence[Sequence[Any]]) -> Picked:
    first, last, n, level = rows[0][:4]
    return Picked(n, level, Stretches.of_rows([row[4:] for row in rows], first, last))
