"""Kept weights: each content once, by its SHA-256, in parts; and which cell had it after how many updates.

They are written in the transaction of their block, behind its fence, under keys: a block that is written again, or a
cell that is trained again from an earlier state, leaves the same rows.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchlab import state
from batchlab.engines.base import CellBlock, Weights
from batchlab.errors import DataError
from batchlab.keeping import Best, Last
from sqlalchemy import Connection, Engine, RowMapping, text

from batchlab_db import checkpoints, elsewhere
from batchlab_db.checkpoints import PART_BYTES
from batchlab_db.engine import transact
from batchlab_db.errors import NotAllowed, NotFound
from batchlab_db.reads import storable
from batchlab_db.touching import touch

MOST_FREED = 100
"""Contents removed at once."""
BEST = frozenset({Best(metric="val_loss").label, Best(metric="val_accuracy").label})
"""Labels that one checkpoint of a cell has at a time."""

# An update that changes nothing: it locks the row, so that nobody removes it before this transaction refers to it.
_ENTER = text(
    """
    INSERT INTO weights (sha256, bytes, url) VALUES (:sha256, :bytes, :url)
    ON CONFLICT (sha256) DO UPDATE SET bytes = excluded.bytes RETURNING xmax = 0 AS new
    """
)
_PART = text("INSERT INTO weight_parts (sha256, part, data) VALUES (:sha256, :part, :data)")
_KEEP = text(
    """
    INSERT INTO kept (cell_id, step, sha256, labels) VALUES (:cell, :step, :sha256, :labels)
    ON CONFLICT (cell_id, step) DO UPDATE SET sha256 = excluded.sha256, labels = excluded.labels
    """
)
_NO_LONGER = text(
    """
    UPDATE kept SET labels = array_remove(labels, :label)
    WHERE cell_id = :cell AND step <> :step AND :label = ANY(labels)
    """
)
_UNNAMED = text("DELETE FROM kept WHERE cell_id = ANY(:cells) AND labels = '{}'")
_TAKE_BACK = text(
    """
    DELETE FROM kept k USING unnest(CAST(:cells AS bigint[]), CAST(:steps AS bigint[])) AS trained(cell_id, steps)
    WHERE k.cell_id = trained.cell_id AND k.step > trained.steps
    """
)
_LIST = text(
    """
    SELECT k.cell_id, c.ordinal, k.step, k.labels, k.sha256, w.bytes, k.written_at
    FROM kept k JOIN cells c ON c.id = k.cell_id JOIN weights w ON w.sha256 = k.sha256
    WHERE c.experiment_id = :experiment AND (CAST(:cells AS bigint[]) IS NULL OR c.id = ANY(:cells))
    ORDER BY c.ordinal, k.step
    """
)
_ENDED = text("SELECT cohort_id, steps_done FROM cells WHERE id = :cell")
_LABELS = text("SELECT labels FROM kept WHERE cell_id = :cell AND step = :step")
_EXISTS = text("SELECT FROM experiments WHERE id = :experiment AND deleted_at IS NULL")
_HAS = text(
    """
    SELECT FROM kept k JOIN cells c ON c.id = k.cell_id JOIN experiments e ON e.id = c.experiment_id
    WHERE e.id = :experiment AND e.deleted_at IS NULL AND k.sha256 = :sha256 LIMIT 1
    """
)
_DELETE = text(
    """
    DELETE FROM kept k USING cells c WHERE c.id = k.cell_id AND c.experiment_id = :experiment
        AND (CAST(:cells AS bigint[]) IS NULL OR c.id = ANY(:cells))
    """
)
_UNUSED = text(
    """
    SELECT w.sha256 FROM weights w WHERE NOT EXISTS (SELECT FROM kept WHERE sha256 = w.sha256)
    LIMIT :most FOR UPDATE SKIP LOCKED
    """
)
# A statement of its own, after the locks: it sees what was kept until then.
_FREE = text(
    """
    DELETE FROM weights w WHERE sha256 = ANY(:found) AND NOT EXISTS (SELECT FROM kept WHERE sha256 = w.sha256)
    RETURNING url
    """
)


@dataclass(frozen=True)
class Kept:
    """Weights of a cell as they are stored."""

    cell_id: int
    step: int
    labels: tuple[str, ...]
    data: bytes
    sha256: str
    url: str | None = None
    """Where its content has been put; None where that is the database."""


def serialised(rows: Sequence[tuple[int, CellBlock]]) -> tuple[Kept, ...]:
    """What the blocks of these cells keep, in the order of locks."""
    found = (_one(cell, step, kept.labels, kept.weights) for cell, block in rows for step, kept in block.kept.items())
    return tuple(sorted(found, key=lambda kept: (kept.sha256, kept.cell_id, kept.step)))


def _one(cell_id: int, step: int, labels: tuple[str, ...], weights: Weights) -> Kept:
    data = state.weights_to_bytes(weights)
    return Kept(cell_id, step, labels, data, hashlib.sha256(data).hexdigest())


def save(connection: Connection, kept: Sequence[Kept]) -> None:
    """Store what `serialised` gave; a newer best takes the place of an older one."""
    for one in kept:
        enter(connection, one.sha256, one.data, one.url)
        row = {"cell": one.cell_id, "step": one.step, "sha256": one.sha256, "labels": list(one.labels)}
        connection.execute(_KEEP, row)
        for label in sorted(BEST & set(one.labels)):
            connection.execute(_NO_LONGER, {**row, "label": label})
    if kept:
        connection.execute(_UNNAMED, {"cells": sorted({one.cell_id for one in kept})})


def enter(connection: Connection, sha256: str, data: bytes, url: str | None = None) -> None:
    """Store a content, unless it is there; it is the caller's to refer to it in the same transaction.

    `url`: it has been put there, and only that is stored.
    """
    new = connection.execute(_ENTER, {"sha256": sha256, "bytes": len(data), "url": url}).scalar_one()
    if not new or url is not None:
        return
    parts = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
    connection.execute(_PART, [{"sha256": sha256, "part": i, "data": part} for i, part in enumerate(parts)])


def take_back(connection: Connection, trained: Mapping[int, int]) -> None:
    """Let go of each cell's weights beyond its `trained` updates (-1: all of them)."""
    cells = sorted(trained)
    connection.execute(_TAKE_BACK, {"cells": cells, "steps": [trained[cell] for cell in cells]})


def listing(connection: Connection, experiment_id: str, cells: Sequence[int] | None = None) -> Sequence[RowMapping]:
    """`cell_id, ordinal, step, labels, sha256, bytes, written_at` by cell and step. Raises NotFound."""
    must_exist(connection, experiment_id)
    asked = {"experiment": storable(experiment_id), "cells": cells}
    return connection.execute(_LIST, asked).mappings().all()


def must_exist(connection: Connection, experiment_id: str) -> None:
    """Raises NotFound where there is no such experiment."""
    if connection.execute(_EXISTS, {"experiment": storable(experiment_id)}).one_or_none() is None:
        raise NotFound(f"there is no experiment {experiment_id}")


def promote(connection: Connection, cell_id: int) -> dict[str, Any]:
    """Keep the last weights of a cell that has ended, from its training state; gives their `step` and `sha256`.

    Raises NotAllowed where there is none (any more).
    """
    row = connection.execute(_ENDED, {"cell": cell_id}).one()
    stored = None if row.cohort_id is None else checkpoints.load(connection, row.cohort_id)
    weights = {} if stored is None else state.weights_of(state.from_bytes(stored.data))
    if not weights:
        raise NotAllowed(f"the last weights of cell {cell_id} are not there: train it with `checkpoints`")
    labels = connection.scalar(_LABELS, {"cell": cell_id, "step": row.steps_done}) or ()
    one = _one(cell_id, row.steps_done, tuple(dict.fromkeys([*labels, Last.tag()])), weights)
    save(connection, [one])
    return {"step": one.step, "sha256": one.sha256}


def load(connection: Connection, sha256: str) -> bytes:
    """A content. DataError: it is not there (any more), or its bytes are not those that were written."""
    return b"".join(chunks(connection, sha256))


def chunks(connection: Connection, sha256: str) -> Iterator[bytes]:
    """A content, part by part; DataError, at the end, where it is not the one that has this hash."""
    url = connection.scalar(text("SELECT url FROM weights WHERE sha256 = :sha256"), {"sha256": sha256})
    found = hashlib.sha256()
    try:
        for part in _parts(connection, sha256) if url is None else elsewhere.chunks(url):
            found.update(part)
            yield bytes(part)
    except FileNotFoundError as error:
        raise DataError(f"the kept weights {sha256[:12]} are gone from their folder") from error
    if found.hexdigest() != sha256:
        raise DataError(f"the kept weights {sha256[:12]} are gone or damaged")


def _parts(connection: Connection, sha256: str) -> Iterator[bytes]:
    parts = text("SELECT data FROM weight_parts WHERE sha256 = :sha256 ORDER BY part")
    yield from connection.scalars(parts, {"sha256": sha256})


def of_experiment(connection: Connection, experiment_id: str, sha256: str) -> bytes:
    """A content that a cell of the experiment has. Raises NotFound."""
    if connection.execute(_HAS, {"experiment": storable(experiment_id), "sha256": sha256}).first() is None:
        raise NotFound(f"experiment {experiment_id} has no checkpoint {sha256}")
    return load(connection, sha256)


def delete(engine: Engine, experiment_id: str, cells: Sequence[int] | None = None) -> int:
    """Let go of the kept weights of the experiment, or of these cells; returns how many those were. Raises NotFound.

    Their bytes go with the reconciler's next pass, unless another cell has them too.
    """

    def work(connection: Connection) -> int:
        must_exist(connection, experiment_id)
        gone = connection.execute(_DELETE, {"experiment": experiment_id, "cells": cells}).rowcount
        touch(connection, experiment_id)
        return int(gone)

    return transact(engine, work)


def free(connection: Connection) -> Sequence[str | None]:
    """Remove a batch of contents that no cell refers to; returns where each was (None: in the database).

    What was elsewhere is the caller's to remove, once this is committed.
    """
    found = connection.scalars(_UNUSED, {"most": MOST_FREED}).all()
    return connection.scalars(_FREE, {"found": list(found)}).all() if found else []
