"""Removing what nobody needs any more, a bounded batch at a time."""

from sqlalchemy import Connection, text

BATCH = 5_000
KEY_DAYS = 7
WORKER_DAYS = 1

_DELETED = text(
    """
    SELECT id FROM experiments e WHERE deleted_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM cohorts WHERE experiment_id = e.id AND status = 'running')
    ORDER BY deleted_at LIMIT 1
    """
)
_BLOCKS = text(
    """
    DELETE FROM series_blocks WHERE ctid = ANY(ARRAY(
        SELECT s.ctid FROM series_blocks s JOIN cells k ON k.id = s.cell_id WHERE k.experiment_id = :id LIMIT :batch))
    """
)
_CELLS = text(
    "DELETE FROM cells WHERE id = ANY(ARRAY(SELECT id FROM cells WHERE experiment_id = :id ORDER BY id LIMIT :batch))"
)
_EXPERIMENT = text("DELETE FROM experiments WHERE id = :id")
_KEYS = text("DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - make_interval(days => :days)")
_WORKERS = text("DELETE FROM workers WHERE heartbeat_at < clock_timestamp() - make_interval(days => :days)")


def purge_batch(connection: Connection) -> int:
    """Delete one batch of a deleted experiment's rows, the experiment's own last; returns how many went."""
    experiment_id = connection.scalar(_DELETED)
    if experiment_id is None:
        return 0
    asked = {"id": experiment_id, "batch": BATCH}
    for statement in (_BLOCKS, _CELLS, _EXPERIMENT):
        if gone := connection.execute(statement, asked).rowcount:
            return int(gone)
    return 0


def purge_old(connection: Connection) -> None:
    """Delete idempotency keys that no client retries any more, and the rows of workers long gone."""
    connection.execute(_KEYS, {"days": KEY_DAYS})
    connection.execute(_WORKERS, {"days": WORKER_DAYS})
