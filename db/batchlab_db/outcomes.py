"""How cohorts, cells and experiments end, in the transaction that ends them."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from batchlab_db.analyses import asking
from batchlab_db.touching import touch

__all__ = ["end_slice", "fail_cohort", "finish_cohort", "release", "settle", "touch"]
_FINISH = text(
    """
    UPDATE experiments e SET finished_at = clock_timestamp(),
        outcome = CASE WHEN EXISTS (SELECT FROM cells WHERE experiment_id = e.id AND status = 'failed')
                       THEN 'failed' ELSE 'succeeded' END,
        error = (SELECT coalesce(message, cause) FROM cells
                 WHERE experiment_id = e.id AND status = 'failed' ORDER BY ordinal LIMIT 1)
    WHERE id = :id AND outcome IS NULL
        AND NOT EXISTS (SELECT FROM cells WHERE experiment_id = e.id AND status IN ('queued', 'running'))
    """
)
_END_SLICE = text(
    "UPDATE slices SET ended_at = clock_timestamp(), outcome = :outcome WHERE cohort_id = :cohort AND ended_at IS NULL"
)
_RELEASE = text(
    """
    UPDATE cohorts SET status = 'ready', epoch = epoch + 1, worker_id = NULL, lease_until = NULL,
        losses = coalesce(:losses, losses), ready_since = clock_timestamp(),
        not_before = clock_timestamp() + make_interval(secs => :delay)
    WHERE id = :cohort
    """
)
_FAIL_CELLS = text(
    """
    UPDATE cells SET status = 'failed', cause = :cause, message = :message, finished_at = clock_timestamp()
    WHERE cohort_id = :cohort AND status IN ('queued', 'running')
    """
)


def settle(connection: Connection, experiment_id: str, ended: Sequence[int] = ()) -> None:
    """Touch the experiment, end it where nothing of it is left to run, and queue what is to be computed from it.

    `ended`: the cells that this transaction has ended.
    """
    touch(connection, experiment_id)
    # A statement of its own: it sees what the transaction that held the row before has committed.
    connection.execute(_FINISH, {"id": experiment_id})
    asking.of_spec(connection, experiment_id, ended)


def end_slice(connection: Connection, cohort_id: int, outcome: str) -> None:
    """Close the cohort's open slice."""
    connection.execute(_END_SLICE, {"cohort": cohort_id, "outcome": outcome})


def finish_cohort(connection: Connection, cohort_id: int, outcome: str) -> None:
    """Nothing of the cohort is left to run; its last checkpoint stays, for what is computed from it later."""
    done = "UPDATE cohorts SET status = 'done', lease_until = NULL, worker_id = NULL WHERE id = :cohort"
    connection.execute(text(done), {"cohort": cohort_id})
    end_slice(connection, cohort_id, outcome)


def fail_cohort(connection: Connection, cohort_id: int, experiment_id: str, cause: str, message: str) -> None:
    """End the cohort and what still ran of it as failed, then settle the experiment."""
    finish_cohort(connection, cohort_id, "lost" if cause == "lost" else "failed")
    connection.execute(_FAIL_CELLS, {"cohort": cohort_id, "cause": cause, "message": message[:4000]})
    settle(connection, experiment_id)


def release(
    connection: Connection, cohort_id: int, outcome: str, *, losses: int | None = None, delay: float = 0.0
) -> None:
    """Take the cohort from its holder, who is fenced from now on; its cells are queued, for `delay` seconds at least.

    `losses` is the new count of losses without progress; None leaves it.
    """
    connection.execute(_RELEASE, {"cohort": cohort_id, "losses": losses, "delay": delay})
    end_slice(connection, cohort_id, outcome)
    queued = "UPDATE cells SET status = 'queued' WHERE cohort_id = :cohort AND status = 'running'"
    connection.execute(text(queued), {"cohort": cohort_id})
