"""Reading series as they were measured, value by value, in bounded memory.

Every page is a statement of its own on a connection of its own: a slow reader holds neither a transaction nor a
connection.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Engine

from batchlab_db import wire
from batchlab_db.curves import FOREVER
from batchlab_db.pyramid import Float32s, Steps

PAGE_BLOCKS = 64
"""Blocks read at a time: 4 MiB of values at most."""
_PAGE = """
    SELECT cell_id, metric, first, n, stride, data FROM whole_blocks
    WHERE cell_id = ANY(%(cells)s::bigint[]) AND (%(metrics)s::text[] IS NULL OR metric = ANY(%(metrics)s))
        AND first <= %(last)s AND last >= %(first)s
        -- Go on behind the last value: its block may have been joined with others since.
        AND (cell_id, metric, first) >= (%(cell)s, %(metric)s, coalesce((SELECT max(a.first) FROM series_blocks a
            WHERE a.cell_id = %(cell)s AND a.metric = %(metric)s AND a.first <= %(seen)s), 0))
        AND NOT (cell_id = %(cell)s AND metric = %(metric)s AND last <= %(seen)s)
    ORDER BY cell_id, metric, first LIMIT %(limit)s
"""


class Stretch(NamedTuple):
    """Neighbouring values of a series: steps (n,) ascending and values (n,)."""

    cell_id: int
    metric: str
    steps: Steps
    values: Float32s


def stretches(
    engine: Engine,
    cells: Sequence[int],
    metrics: Sequence[str] | None = None,
    *,
    first: int = 0,
    last: int = FOREVER,
) -> Iterator[Stretch]:
    """The values of these cells and metrics (None: all) at the steps `first .. last`, by cell, metric and step."""
    asked: dict[str, Any] = {
        **{"cells": list(cells), "metrics": None if metrics is None else list(metrics), "first": first, "last": last},
        **{"cell": -1, "metric": "", "seen": -1, "limit": PAGE_BLOCKS},
    }
    while rows := _page(engine, asked):
        for cell, metric, begin, n, stride, data in rows:
            seen = asked["seen"] if (cell, metric) == (asked["cell"], asked["metric"]) else -1
            steps = begin + stride * np.arange(n, dtype=np.int64)
            inside = slice(*np.searchsorted(steps, [max(first, seen + 1), last + 1]))
            yield Stretch(cell, metric, steps[inside], np.broadcast_to(wire.held(data), (n,))[inside])
            asked |= {"cell": cell, "metric": metric, "seen": int(steps[-1])}


def _page(engine: Engine, asked: dict[str, Any]) -> Sequence[Any]:
    with engine.connect() as connection, wire.cursor(connection) as cursor:
        return cursor.execute(_PAGE, asked).fetchall()
