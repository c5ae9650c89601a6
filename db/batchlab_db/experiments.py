"""What users do to experiments. Each is one transaction; the caller wakes the workers after it.

`NotFound`: there is no such experiment. `NotAllowed`: its state forbids it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from batchlab.plan import WorkLimits
from batchlab.seeds import add_seeds as more_seeds
from batchlab.spec import parse_spec
from sqlalchemy import Connection, Engine, text, update

from batchlab_db import locks, outcomes
from batchlab_db.analyses import losing
from batchlab_db.engine import transact
from batchlab_db.errors import NotAllowed, NotFound
from batchlab_db.submitting import Submitted, insert_cells, submit
from batchlab_db.tables import Experiment

__all__ = ["Submitted", "add_seeds", "cancel", "delete", "patch", "pause", "resume", "retry", "submit"]

PATIENCE = 15.0
"""Seconds. A holder that was stopped in mid-write keeps its rows locked until its session is ended, after ten."""

_STATE = text(
    "SELECT spec, outcome, paused, cells_total, started_at IS NOT NULL AS started FROM experiments "
    "WHERE id = :id AND deleted_at IS NULL"
)
_COHORTS = text(
    "SELECT id FROM cohorts WHERE experiment_id = :id AND status = ANY(:statuses) ORDER BY id FOR NO KEY UPDATE"
)
_FENCE = text("UPDATE cohorts SET epoch = epoch + 1 WHERE id = :cohort")
_CANCEL_CELLS = text(
    """
    UPDATE cells SET status = 'cancelled', finished_at = clock_timestamp()
    WHERE experiment_id = :id AND status IN ('queued', 'running')
    """
)
_CANCEL = text(
    """
    UPDATE experiments SET outcome = 'cancelled', paused = false, finished_at = clock_timestamp(), version = version + 1
    WHERE id = :id AND outcome IS NULL
    """
)
_REQUEUE = text(
    """
    UPDATE cells SET status = 'queued', cause = NULL, message = NULL, result = NULL, cohort_id = NULL, position = NULL,
        steps_done = 0, environment = NULL, engine = NULL, shared_with = NULL, started_at = NULL, finished_at = NULL
    WHERE experiment_id = :id AND status IN ('failed', 'cancelled')
    """
)
_REOPEN = text(
    "UPDATE experiments SET outcome = NULL, error = NULL, finished_at = NULL, version = version + 1 WHERE id = :id"
)
_SET_PAUSED = text("UPDATE experiments SET paused = :paused, version = version + 1 WHERE id = :id")
_DELETE_KEYS = text("DELETE FROM idempotency_keys WHERE experiment_id = :id")
_MARK_DELETED = text("UPDATE experiments SET deleted_at = clock_timestamp(), version = version + 1 WHERE id = :id")


@dataclass(frozen=True)
class State:
    """What decides whether something is allowed."""

    spec: dict[str, Any]
    outcome: str | None
    paused: bool
    cells_total: int
    started: bool


def _reshape(
    engine: Engine,
    experiment_id: str,
    work: Callable[[Connection, State], None],
    check: Callable[[State], None] | None = None,
) -> None:
    """Run `work(connection, state)` in a transaction while nobody else reshapes the experiment.

    `check` refuses states. It is asked once: `work` that is run again may have been committed, its answer lost.
    """
    begun = False

    def attempt(connection: Connection) -> None:
        nonlocal begun
        locks.experiment(connection, experiment_id)
        row = connection.execute(_STATE, {"id": experiment_id}).mappings().one_or_none()
        if row is None:
            raise _not_found(experiment_id)
        if check is not None and not begun:
            check(State(**row))
        begun = True
        work(connection, State(**row))

    transact(engine, attempt, patience=PATIENCE)


def _not_found(experiment_id: str) -> NotFound:
    return NotFound(f"there is no experiment {experiment_id}")


def cancel(engine: Engine, experiment_id: str) -> None:
    """End it now: who works on it is fenced, what is stored stays."""

    def work(connection: Connection, state: State) -> None:
        if state.outcome in ("succeeded", "failed"):
            raise NotAllowed(f"the experiment has {state.outcome}: there is nothing to cancel")
        _close(connection, experiment_id)
        if not connection.execute(_CANCEL, {"id": experiment_id}).rowcount and state.outcome is None:
            raise NotAllowed("the experiment has just finished: there is nothing to cancel")

    _reshape(engine, experiment_id, work)


def _close(connection: Connection, experiment_id: str) -> None:
    """Fence every holder and cancel what has not ended."""
    for cohort in connection.scalars(_COHORTS, {"id": experiment_id, "statuses": ["ready", "running"]}).all():
        connection.execute(_FENCE, {"cohort": cohort})
        outcomes.finish_cohort(connection, cohort, "fenced")
    connection.execute(_CANCEL_CELLS, {"id": experiment_id})
    losing.cancel(connection, experiment_id)


def pause(engine: Engine, experiment_id: str) -> None:
    """Stop working on it now, keeping its checkpoints: `resume` goes on from there."""

    def work(connection: Connection, state: State) -> None:
        _refuse_ended(state, "pause")
        for cohort in connection.scalars(_COHORTS, {"id": experiment_id, "statuses": ["running"]}).all():
            outcomes.release(connection, cohort, "fenced")
        losing.release_all(connection, experiment_id)
        connection.execute(_SET_PAUSED, {"id": experiment_id, "paused": True})

    _reshape(engine, experiment_id, work)


def resume(engine: Engine, experiment_id: str) -> None:
    """Go on with a paused experiment."""

    def check(state: State) -> None:
        _refuse_ended(state, "resume")
        if not state.paused:
            raise NotAllowed("the experiment is not paused: there is nothing to resume")

    def work(connection: Connection, _: State) -> None:
        connection.execute(_SET_PAUSED, {"id": experiment_id, "paused": False})

    _reshape(engine, experiment_id, work, check)


def _refuse_ended(state: State, what: str) -> None:
    if state.outcome is not None:
        raise NotAllowed(f"the experiment has ended ({state.outcome}): there is nothing to {what}")


def retry(engine: Engine, experiment_id: str) -> None:
    """Run again, from the beginning, the cells that failed or were cancelled: they form new cohorts.

    Their stored curves are taken back when they start.
    """

    def check(state: State) -> None:
        if state.outcome is None:
            raise NotAllowed("the experiment has not ended: what failed can be retried when it has")
        if state.outcome == "succeeded":
            raise NotAllowed("every cell has succeeded or diverged: there is nothing to retry")

    def work(connection: Connection, _: State) -> None:
        if connection.execute(_REQUEUE, {"id": experiment_id}).rowcount:
            connection.execute(_REOPEN, {"id": experiment_id})

    _reshape(engine, experiment_id, work, check)


def add_seeds(engine: Engine, experiment_id: str, n: int, limits: WorkLimits) -> int:
    """Add `n` more seeds for every point; returns how many cells are new. SpecError: there are not so many."""
    added = total = 0

    def work(connection: Connection, state: State) -> None:
        nonlocal added, total
        if state.cells_total == total:
            return  # committed by the try before, whose answer was lost
        if state.outcome == "cancelled":
            raise NotAllowed("the experiment was cancelled: retry it first")
        grown = more_seeds(parse_spec(state.spec), n, limits)
        insert_cells(connection, experiment_id, grown.new)
        row = {"spec": grown.spec.model_dump(mode="json"), "cells_total": grown.cells, "updates_total": grown.updates}
        connection.execute(update(Experiment).where(Experiment.id == experiment_id).values(row))
        connection.execute(_REOPEN, {"id": experiment_id})
        added, total = len(grown.new), grown.cells

    _reshape(engine, experiment_id, work)
    return added


def patch(
    engine: Engine,
    experiment_id: str,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    note: str | None = None,
) -> None:
    """Change the name, tags or note; None leaves one as it is."""
    given = {"name": name, "tags": None if tags is None else list(tags), "note": note}
    values = {key: value for key, value in given.items() if value is not None}
    row = update(Experiment).where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None))
    changed = row.values(**values, version=Experiment.version + 1)
    if not transact(engine, lambda connection: connection.execute(changed).rowcount):
        raise _not_found(experiment_id)


def delete(engine: Engine, experiment_id: str) -> None:
    """Remove it: readers no longer find it from now on, and the reconciler purges its rows."""

    marked: list[str] = []

    def work(connection: Connection, state: State) -> None:
        if state.outcome is None and state.started and not state.paused:
            raise NotAllowed("the experiment runs: cancel it first")
        _close(connection, experiment_id)
        connection.execute(_DELETE_KEYS, {"id": experiment_id})
        connection.execute(_CANCEL, {"id": experiment_id})
        connection.execute(_MARK_DELETED, {"id": experiment_id})
        marked.append(experiment_id)

    try:
        _reshape(engine, experiment_id, work)
    except NotFound:
        if not marked:  # else committed by the try before, whose answer was lost
            raise
