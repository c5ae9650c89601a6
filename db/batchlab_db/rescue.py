"""Taking a cohort from a holder that is gone, and what its loss costs."""

from sqlalchemy import Connection, RowMapping, text

from batchlab_db import facts
from batchlab_db.analyses import losing
from batchlab_db.backoff import delay_after
from batchlab_db.halving import halve
from batchlab_db.outcomes import fail_cohort, release, touch

_HELD = text(
    """
    SELECT id, experiment_id, losses, progressed, machine, phase FROM cohorts
    WHERE id = :cohort AND status = 'running' AND coalesce(lease_until, '-infinity') < clock_timestamp()
    FOR UPDATE SKIP LOCKED
    """
)
_DEAD = text(
    """
    SELECT c.id, c.experiment_id, c.losses, c.progressed, c.machine, c.phase
    FROM cohorts c JOIN workers w ON w.id = c.worker_id
    WHERE starts_with(w.id, :worker) AND w.pid = :pid AND c.status = 'running' ORDER BY c.id FOR UPDATE OF c
    """
)
_FORGET = text("DELETE FROM workers WHERE starts_with(id, :worker) AND pid = :pid")
_MINE = text(
    "SELECT id, experiment_id FROM cohorts WHERE worker_id = :worker AND status = 'running' ORDER BY id FOR UPDATE"
)


def rescue(connection: Connection, cohort_id: int, max_losses: int) -> bool:
    """Take the cohort back where its lease has ended; False where it was renewed, or somebody else is at it."""
    row = connection.execute(_HELD, {"cohort": cohort_id}).mappings().one_or_none()
    if row is None:
        return False
    lose(connection, row, max_losses, f"on {row['machine']}, in {row['phase']}")
    facts.count(connection, "rescues_total")
    return True


def bury(connection: Connection, worker: str, pid: int, why: str, max_losses: int) -> int:
    """Take back at once what a worker process held that is known to be dead: cohorts and analyses; returns how many.

    `worker` begins its id, `pid` was its number; `why` is what killed it: a cause that cells may fail with, or `lost`.
    """
    dead = {"worker": worker, "pid": pid}
    held = connection.execute(_DEAD, dead).mappings().all()
    for row in held:
        lose(connection, row, max_losses, f"on {row['machine']}, in {row['phase']}", why)
    freed = len(held) + losing.bury(connection, worker, pid, why, max_losses)
    connection.execute(_FORGET, dead)
    facts.count(connection, "rescues_total", freed)
    return freed


def lose(connection: Connection, held: RowMapping, most: int, where: str, cause: str = "lost") -> None:
    """End the present claim as lost: the cohort (its locked row is `held`) waits for another, or after `most` fails.

    Only losses without progress count, and the wait grows with them. Where memory gave out, it goes on in halves.
    """
    if cause == "out_of_memory" and halve(connection, held["id"], held["experiment_id"], "lost"):
        return
    losses = 0 if held["progressed"] else held["losses"] + 1
    if losses >= most:
        message = f"the worker was lost {losses} times without progress, last {where}"
        fail_cohort(connection, held["id"], held["experiment_id"], cause, message)
        return
    release(connection, held["id"], "lost", losses=losses, delay=delay_after(losses))
    touch(connection, held["experiment_id"])


def give_back(connection: Connection, worker_id: str) -> None:
    """Release what is held in this worker's name, though it knows of nothing: the answer to its claim was lost."""
    for row in connection.execute(_MINE, {"worker": worker_id}).mappings().all():
        release(connection, row["id"], "lost")
        touch(connection, row["experiment_id"])
