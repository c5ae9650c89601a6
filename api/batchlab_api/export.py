"""Raw series to take away: every stored value, streamed piece by piece, each piece read on a short connection."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from batchlab_db import raw
from batchlab_db.raw import Stretch
from sqlalchemy import Engine

from batchlab_api import axis, clocks
from batchlab_api.axis import Clock
from batchlab_api.series import Asked, Member
from batchlab_api.tables import ParquetStream, csv_lines

COLUMNS = {
    "cell": "int64",
    "metric": "string",
    "variant": "string",
    "batch_size": "int64",
    "lr": "double",
    "momentum": "double",
    "seed": "int64",
    "step": "int64",
    "epoch": "double",
    "examples": "int64",
    "value": "float",
}
"""Columns and their types: the same in both formats."""

Columns = dict[str, Any]
"""Name -> values (n,), a list or an array."""


def as_csv(engine: Engine, found: Sequence[Member], asked: Asked) -> Iterator[str]:
    """CSV, a chunk for each piece."""
    yield from csv_lines(list(COLUMNS), ())
    for piece in _pieces(engine, found, asked):
        _, *lines = csv_lines(list(COLUMNS), zip(*piece.values(), strict=True))
        yield "".join(lines)


def as_parquet(engine: Engine, found: Sequence[Member], asked: Asked) -> Iterator[bytes]:
    """Parquet, a row group for each piece."""
    file = ParquetStream(COLUMNS)
    for piece in _pieces(engine, found, asked):
        yield file.add(piece)
    yield file.end()


def _pieces(engine: Engine, found: Sequence[Member], asked: Asked) -> Iterator[Columns]:
    with engine.connect() as connection:
        clock_of = clocks.rows(connection, {member.row["id"]: member.cell for member in found})
    for metric in asked.metrics:
        for member in found:
            wanted = member.wanted(metric, asked)
            for stretch in raw.stretches(engine, [wanted.cell_id], [metric], first=wanted.first, last=wanted.last):
                yield _columns(member, stretch, clock_of.get(wanted.cell_id))


def _columns(member: Member, stretch: Stretch, clock: Clock | None) -> Columns:
    n, row, cell = len(stretch.steps), member.row, member.cell
    same = {name: [row[name]] * n for name in ("variant", "batch_size", "lr", "momentum", "seed")}
    return {
        "cell": [row["id"]] * n,
        "metric": [stretch.metric] * n,
        **same,
        "step": stretch.steps,
        "epoch": axis.along("epoch", cell, stretch.steps, clock),
        "examples": np.rint(axis.along("examples", cell, stretch.steps, clock)).astype(np.int64),
        "value": stretch.values,
    }
