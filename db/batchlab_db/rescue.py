"""Taking a cohort from a holder that is gone, and what its loss costs."""

import random

from sqlalchemy import Connection, RowMapping, text

from batchlab_db import facts
from batchlab_db.outcomes import fail_cohort, release, touch

LONGEST_DELAY = 60.0

_HELD = text(
    """
    SELECT id, experiment_id, losses, progressed, machine, phase FROM cohorts
    WHERE id = :cohort AND status = 'running' AND coalesce(lease_until, '-infinity') < clock_timestamp()
    FOR UPDATE SKIP LOCKED
    """
)
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


def lose(connection: Connection, held: RowMapping, most: int, where: str) -> None:
    """End the present claim as lost: the cohort (its locked row is `held`) waits for another, or after `most` fails.

    Only losses without progress count, and the wait grows with them.
    """
    losses = 0 if held["progressed"] else held["losses"] + 1
    if losses >= most:
        message = f"the worker was lost {losses} times without progress, last {where}"
        fail_cohort(connection, held["id"], held["experiment_id"], "lost", message)
        return
    delay = min(2.0**losses, LONGEST_DELAY) * random.uniform(0.75, 1.25) if losses else 0.0
    release(connection, held["id"], "lost", losses=losses, delay=delay)
    touch(connection, held["experiment_id"])


def give_back(connection: Connection, worker_id: str) -> None:
    """Release what is held in this worker's name, though it knows of nothing: the answer to its claim was lost."""
    for row in connection.execute(_MINE, {"worker": worker_id}).mappings().all():
        release(connection, row["id"], "lost")
        touch(connection, row["experiment_id"])
