"""A cohort for which memory gave out goes on in halves, each from its beginning, while it has no state yet."""

from sqlalchemy import Connection, text

from batchlab_db.outcomes import release
from batchlab_db.touching import touch

_SIZE = text(
    """
    SELECT count(*) FROM cells WHERE cohort_id = :cohort
        AND NOT EXISTS (SELECT FROM checkpoints WHERE cohort_id = :cohort)
    """
)
_HALF = text(
    """
    INSERT INTO cohorts (
        experiment_id, status, epoch, engine, queue, isolated, device, fingerprint, machine, ready_since
    )
    SELECT experiment_id, 'ready', 0, engine, queue, isolated, device, fingerprint, machine, clock_timestamp()
    FROM cohorts WHERE id = :cohort RETURNING id
    """
)
_MOVE = text(
    """
    UPDATE cells SET cohort_id = :half, position = position - :first
    WHERE cohort_id = :cohort AND position >= :first
    """
)


def halve(connection: Connection, cohort_id: int, experiment_id: str, outcome: str) -> bool:
    """Let go of a cohort (its row is locked) whose slice ends as `outcome`, and give half of its cells to another.

    False, and nothing done, for a single cell, and for a cohort with a checkpoint: that has been trained, so that it
    fits, and its state is one.
    """
    size = connection.scalar(_SIZE, {"cohort": cohort_id}) or 0
    if size < 2:
        return False
    release(connection, cohort_id, outcome, losses=0)
    half = connection.scalar(_HALF, {"cohort": cohort_id})
    connection.execute(_MOVE, {"cohort": cohort_id, "half": half, "first": (size + 1) // 2})
    touch(connection, experiment_id)
    return True
