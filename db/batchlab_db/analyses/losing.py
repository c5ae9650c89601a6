"""Taking analyses from holders that are gone or must stop, and what their loss costs."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, text

from batchlab_db import facts
from batchlab_db.backoff import delay_after
from batchlab_db.touching import touch

_HELD = text(
    """
    SELECT * FROM analyses
    WHERE id = :id AND status = 'running' AND coalesce(lease_until, '-infinity') < clock_timestamp()
    FOR UPDATE SKIP LOCKED
    """
)
_EXPIRED = text(
    """
    SELECT id FROM analyses
    WHERE status = 'running' AND id > :after AND coalesce(lease_until, '-infinity') < clock_timestamp()
    ORDER BY id LIMIT :page
    """
)
_DEAD = text(
    """
    SELECT a.* FROM analyses a JOIN workers w ON w.id = a.worker_id
    WHERE starts_with(w.id, :worker) AND w.pid = :pid AND a.status = 'running' ORDER BY a.id FOR UPDATE OF a
    """
)
_RELEASE = text(
    """
    UPDATE analyses SET status = 'queued', epoch = epoch + 1, worker_id = NULL, lease_until = NULL, losses = :losses,
        not_before = clock_timestamp() + make_interval(secs => :delay)
    WHERE id = :id
    """
)
_RELEASE_ALL = text(
    """
    UPDATE analyses SET status = 'queued', epoch = epoch + 1, worker_id = NULL, lease_until = NULL
    WHERE experiment_id = :experiment AND status = 'running'
    """
)
_FAIL = text(
    """
    UPDATE analyses SET status = 'failed', cause = :cause, message = :message, lease_until = NULL, worker_id = NULL,
        finished_at = clock_timestamp()
    WHERE id = :id
    """
)
_MINE = text("SELECT * FROM analyses WHERE worker_id = :worker AND status = 'running' ORDER BY id FOR UPDATE")
_CANCEL = text(
    """
    UPDATE analyses SET status = 'cancelled', epoch = epoch + 1, worker_id = NULL, lease_until = NULL,
        finished_at = clock_timestamp()
    WHERE experiment_id = :experiment AND (CAST(:id AS text) IS NULL OR id = :id) AND status IN ('queued', 'running')
    """
)


def expired(connection: Connection, after: str, page: int) -> Sequence[str]:
    """The next analyses, by id, whose lease has ended."""
    return connection.scalars(_EXPIRED, {"after": after, "page": page}).all()


def rescue(connection: Connection, analysis: str, most: int) -> bool:
    """Take it back where its lease has ended; False where it was renewed, or somebody else is at it."""
    row = connection.execute(_HELD, {"id": analysis}).mappings().one_or_none()
    if row is None:
        return False
    lose(connection, row, most, f"on {row['machine']}, in {row['phase']}")
    facts.count(connection, "rescues_total")
    return True


def bury(connection: Connection, worker: str, pid: int, why: str, most: int) -> int:
    """Take back at once what a worker process held that is known to be dead. See `batchlab_db.rescue.bury`."""
    held = connection.execute(_DEAD, {"worker": worker, "pid": pid}).mappings().all()
    for row in held:
        lose(connection, row, most, f"on {row['machine']}, in {row['phase']}", why)
    return len(held)


def lose(connection: Connection, row: RowMapping, most: int, where: str, cause: str = "lost") -> None:
    """End the present claim as lost: it waits for another, or after `most` losses without progress it fails."""
    losses = 0 if row["progressed"] else row["losses"] + 1
    if losses >= most:
        message = f"the worker was lost {losses} times without progress, last {where}"
        fail(connection, row["id"], row["experiment_id"], cause, message)
        return
    connection.execute(_RELEASE, {"id": row["id"], "losses": losses, "delay": delay_after(losses)})


def fail(connection: Connection, analysis: str, experiment_id: str, cause: str, message: str) -> None:
    """End it as failed; the experiment's own outcome is that of its training."""
    connection.execute(_FAIL, {"id": analysis, "cause": cause, "message": message[:4000]})
    touch(connection, experiment_id)


def give_back(connection: Connection, worker: str) -> None:
    """Release what is held in this worker's name, though it knows of nothing: the answer to its claim was lost."""
    for row in connection.execute(_MINE, {"worker": worker}).mappings().all():
        connection.execute(_RELEASE, {"id": row["id"], "losses": row["losses"], "delay": 0.0})


def release_all(connection: Connection, experiment_id: str) -> None:
    """Take the experiment's analyses from their holders: they wait, with their states."""
    connection.execute(_RELEASE_ALL, {"experiment": experiment_id})


def cancel(connection: Connection, experiment_id: str, analysis: str | None = None) -> int:
    """Cancel an analysis, or all of the experiment, whoever works on it; returns how many had not ended."""
    return int(connection.execute(_CANCEL, {"experiment": experiment_id, "id": analysis}).rowcount)
