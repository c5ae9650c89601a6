"""Joining small blocks: a cell that takes seconds for an update would else leave a row for every block of a second.

Blocks are joined at the end of a series, while each older one is not much larger than all that follow it, up to the
size of a row. So a value is written anew a few times at most, and a series of any length has few rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from batchlab.engines.base import CellBlock
from sqlalchemy import Connection

from batchlab_db import series, wire

_STORED = """
    SELECT b.cell_id, b.metric, b.first, b.n, b.same_as FROM cells c
    JOIN checkpoints k ON k.cohort_id = c.cohort_id
    -- What lies beyond the checkpoint may be taken back, block by block: it is left alone.
    JOIN series_blocks b ON b.cell_id = c.id AND b.last <= (k.steps ->> c.position::text)::bigint
    WHERE c.cohort_id = %(cohort)s ORDER BY b.cell_id, b.metric, b.first DESC
"""
_TAKE = """
    WITH taken AS (
        DELETE FROM series_blocks b
        USING unnest(%(cell_id)s::bigint[], %(metric)s::text[], %(first)s::bigint[], %(last)s::bigint[])
            AS t(cell_id, metric, first, last)
        WHERE b.cell_id = t.cell_id AND b.metric = t.metric AND b.first BETWEEN t.first AND t.last
        RETURNING b.cell_id, b.metric, b.first
    )
    SELECT b.cell_id, b.metric, b.first, b.n, b.stride, b.data
    FROM whole_blocks b JOIN taken USING (cell_id, metric, first)
"""


class Tail(NamedTuple):
    """The blocks of a series that begin at `first .. last`."""

    cell_id: int
    metric: str
    first: int
    last: int


def fold(connection: Connection, cohort_id: int) -> int:
    """Join small blocks of the cohort's cells up to its checkpoint; returns how many series were touched.

    Part of a transaction that holds the cohort's lease.
    """
    with wire.cursor(connection) as cursor:
        stored = cursor.execute(_STORED, {"cohort": cohort_id}).fetchall()
        tails = [
            tail for (cell, metric), blocks in groupby(stored, itemgetter(0, 1)) for tail in _tail(cell, metric, blocks)
        ]
        if not tails:
            return 0
        taken = [*tails, *_naming(tails, stored)]
        asked = {name: [getattr(tail, name) for tail in taken] for name in Tail._fields}
        found = sorted(cursor.execute(_TAKE, asked).fetchall(), key=itemgetter(0, 1, 2))
    series.write(
        connection, (_joined(cell, metric, blocks) for (cell, metric), blocks in groupby(found, itemgetter(0, 1)))
    )
    return len(tails)


def _tail(cell_id: int, metric: str, newest_first: Iterable[tuple[Any, ...]]) -> Iterator[Tail]:
    """What is worth joining of a series: two blocks or more."""
    total, firsts = 0, []
    for _, _, first, n, _ in newest_first:
        if total and (n > 2 * total or n + total > series.MAX_VALUES):
            break
        total += n
        firsts.append(first)
    if len(firsts) > 1:
        yield Tail(cell_id, metric, firsts[-1], firsts[0])


def _naming(tails: Sequence[Tail], stored: Iterable[tuple[Any, ...]]) -> Iterator[Tail]:
    """The blocks that name one of these tails as what holds their values: they are written anew with it."""
    own = {(tail.cell_id, tail.metric): tail for tail in tails}
    for cell_id, metric, first, _, same_as in stored:
        tail = own.get((cell_id, same_as))
        if tail is not None and tail.first <= first <= tail.last:
            yield Tail(cell_id, metric, first, first)


def _joined(cell_id: int, metric: str, blocks: Iterable[tuple[Any, ...]]) -> tuple[int, CellBlock]:
    """The blocks as one, at whatever steps: the writer cuts it where the distance of steps changes."""
    grids = [(series.Grid(first, n, stride), data) for _, _, first, n, stride, data in blocks]
    steps = np.concatenate([grid.steps for grid, _ in grids])
    values = np.concatenate([np.broadcast_to(wire.held(data), (grid.n,)) for grid, data in grids])
    return cell_id, CellBlock(0, {}, steps, {metric: values}, int(steps[-1]))
