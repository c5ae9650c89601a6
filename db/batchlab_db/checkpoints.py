"""The training state of a cohort, in parts, and the taking back of blocks that lie beyond it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

PART_BYTES = 1 << 20

_SAVE = text(
    """
    INSERT INTO checkpoints (cohort_id, epoch, steps, sha256, bytes)
    SELECT :cohort, :epoch, jsonb_object_agg(position, steps_done), :sha256, :bytes FROM cells WHERE cohort_id = :cohort
    ON CONFLICT (cohort_id) DO UPDATE SET epoch = excluded.epoch, steps = excluded.steps, sha256 = excluded.sha256,
        bytes = excluded.bytes, written_at = clock_timestamp()
    """
)
_SAVE_PART = text(
    """
    INSERT INTO checkpoint_parts (cohort_id, part, data) VALUES (:cohort, :part, :data)
    ON CONFLICT (cohort_id, part) DO UPDATE SET data = excluded.data
    """
)
_TAKE_BACK = text(
    """
    WITH gone AS (
        DELETE FROM series_blocks s
        USING unnest(CAST(:cells AS bigint[]), CAST(:steps AS bigint[])) AS kept(cell_id, steps)
        WHERE s.cell_id = kept.cell_id AND s.last > kept.steps
        RETURNING s.cell_id
    )
    SELECT DISTINCT cell_id FROM gone
    """
)


@dataclass(frozen=True)
class Stored:
    """A checkpoint: its bytes, and how many updates each position had finished."""

    data: bytes
    steps: Mapping[int, int]


def save(connection: Connection, cohort_id: int, epoch: int, data: bytes) -> None:
    """Keep `data` as the state after the cohort's stored steps, in place of the one before."""
    digest = hashlib.sha256(data).hexdigest()
    connection.execute(_SAVE, {"cohort": cohort_id, "epoch": epoch, "sha256": digest, "bytes": len(data)})
    parts = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
    remove = text("DELETE FROM checkpoint_parts WHERE cohort_id = :cohort AND part >= :parts")
    connection.execute(remove, {"cohort": cohort_id, "parts": len(parts)})
    if parts:
        connection.execute(_SAVE_PART, [{"cohort": cohort_id, "part": i, "data": p} for i, p in enumerate(parts)])


def load(connection: Connection, cohort_id: int) -> Stored | None:
    """The cohort's checkpoint; None where there is none, or where its bytes are not those that were written."""
    head = text("SELECT steps, sha256 FROM checkpoints WHERE cohort_id = :cohort")
    row = connection.execute(head, {"cohort": cohort_id}).one_or_none()
    if row is None:
        return None
    parts = text("SELECT data FROM checkpoint_parts WHERE cohort_id = :cohort ORDER BY part")
    data = b"".join(connection.scalars(parts, {"cohort": cohort_id}))
    if hashlib.sha256(data).hexdigest() != row.sha256:
        return None
    return Stored(data, {int(position): int(steps) for position, steps in row.steps.items()})


def take_back(connection: Connection, kept: Mapping[int, int]) -> set[int]:
    """Delete each cell's stored blocks beyond its `kept` steps (-1: all of them); returns the cells that lost any."""
    cells = sorted(kept)
    return set(connection.scalars(_TAKE_BACK, {"cells": cells, "steps": [kept[cell] for cell in cells]}))
