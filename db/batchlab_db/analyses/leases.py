"""A slice of an analysis: taken, renewed with every write, let go or ended, as `batchlab_db.leases` has it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from batchlab.analyses.base import Finding
from batchlab.state import weights_to_bytes
from sqlalchemy import Connection, Engine, RowMapping, text

from batchlab_db import choosing, locks
from batchlab_db.analyses import losing, parts
from batchlab_db.engine import transact
from batchlab_db.errors import Fenced
from batchlab_db.forming import device_for
from batchlab_db.leases import fenced
from batchlab_db.settings import Settings
from batchlab_db.taking import disk_is_short
from batchlab_db.touching import touch
from batchlab_db.workers import WorkerInfo

_NEXT = text(
    """
    SELECT a.id, a.queue FROM analyses a JOIN experiments e ON e.id = a.experiment_id
    WHERE a.status = 'queued' AND a.queue = ANY(:queues) AND NOT e.paused AND e.deleted_at IS NULL
        AND (a.not_before IS NULL OR a.not_before <= clock_timestamp())
    ORDER BY e.priority DESC, a.served_at NULLS FIRST, a.created_at, a.id LIMIT 1
    FOR UPDATE OF a SKIP LOCKED
    """
)
_TAKE = text(
    """
    UPDATE analyses SET status = 'running', epoch = epoch + 1, worker_id = :worker, machine = :machine,
        device = :device, lease_until = clock_timestamp() + make_interval(secs => :seconds), not_before = NULL,
        progressed = false, phase = 'claim', served_at = clock_timestamp(),
        started_at = coalesce(started_at, clock_timestamp())
    WHERE id = :id RETURNING *
    """
)
_RENEW = text(
    """
    UPDATE analyses SET lease_until = clock_timestamp() + make_interval(secs => :seconds), phase = :phase,
        fraction = greatest(fraction, :fraction), progressed = progressed OR :progress,
        losses = CASE WHEN :progress THEN 0 ELSE losses END
    WHERE id = :id AND epoch = :epoch AND status = 'running'
    """
)
_IS_AT = text("SELECT FROM analyses WHERE id = :id AND epoch = :epoch AND status = :status")
_HELD = text("SELECT * FROM analyses WHERE id = :id")
_HAND_ON = text("UPDATE analyses SET status = 'queued', lease_until = NULL, worker_id = NULL WHERE id = :id")
_SUCCEED = text(
    """
    UPDATE analyses SET status = 'succeeded', fraction = 1, found = CAST(:found AS jsonb), meta = CAST(:meta AS jsonb),
        lease_until = NULL, worker_id = NULL, state_sha256 = NULL, finished_at = clock_timestamp()
    WHERE id = :id
    """
)
_STATE_IS = text("UPDATE analyses SET state_sha256 = :sha256 WHERE id = :id")


@dataclass
class AnalysisLease:
    """The right to write for an analysis, which lasts `seconds` from each renewal, by the database's clock."""

    id: str
    epoch: int
    experiment_id: str
    document: dict[str, Any]
    subjects: list[dict[str, Any]]
    device: str
    seconds: float
    state_sha256: str | None
    """Of the state from which it goes on; None: from the beginning."""

    def __str__(self) -> str:
        return f"analysis {self.id}"


def claim(engine: Engine, me: WorkerInfo, settings: Settings) -> AnalysisLease | None:
    """The next analysis for this worker; None where there is nothing to do, or a training has the machine alone."""
    return transact(engine, lambda connection: _take(connection, me, settings))


def _take(connection: Connection, me: WorkerInfo, settings: Settings) -> AnalysisLease | None:
    locks.machine(connection, me.machine)
    losing.give_back(connection, me.id)
    asked = choosing.parameters(me, settings)
    if choosing.alone_is_next(connection, asked) or disk_is_short(connection, asked):
        return None
    found = connection.execute(_NEXT, asked).one_or_none()
    if found is None:
        return None
    device, seconds = device_for(found.queue, me), settings.lease_seconds
    place = {"worker": me.id, "machine": me.machine, "device": device, "seconds": seconds}
    row = connection.execute(_TAKE, {"id": found.id, **place}).mappings().one()
    known = {name: row[name] for name in ("id", "epoch", "experiment_id", "document", "subjects", "state_sha256")}
    return AnalysisLease(**known, device=device, seconds=seconds)


def enter(
    connection: Connection, lease: AnalysisLease, phase: str, fraction: float = 0.0, *, progress: bool = False,
    ending: str = "",
) -> bool:  # fmt: skip
    """Renew the lease: the first statement of every write; the row stays locked to the end.

    Raises Fenced where the row is no longer ours. False: this write leaves the analysis in the status `ending`, and it
    was committed before, though its answer was lost.
    """
    asked = {"id": lease.id, "epoch": lease.epoch}
    given = {"seconds": lease.seconds, "phase": phase, "fraction": fraction, "progress": progress}
    if connection.execute(_RENEW, asked | given).rowcount:
        return True
    if ending and connection.execute(_IS_AT, {**asked, "status": ending}).first() is not None:
        return False
    raise Fenced(f"{lease} is no longer held under epoch {lease.epoch}")


def renew(engine: Engine, lease: AnalysisLease, phase: str) -> None:
    """Keep the lease. Raises Fenced."""

    def work(connection: Connection) -> None:
        enter(connection, lease, phase)

    fenced(engine, work)


def record(engine: Engine, lease: AnalysisLease, fraction: float, state: bytes | None = None) -> None:
    """Say how far it is, and store the state from which it can go on, where one is given. Raises Fenced."""

    def work(connection: Connection) -> None:
        enter(connection, lease, "analyse", fraction, progress=state is not None)
        if state is not None:
            _save(connection, lease.id, state)

    fenced(engine, work)


def _save(connection: Connection, analysis: str, state: bytes) -> None:
    parts.save(connection, analysis, "state", state)
    connection.execute(_STATE_IS, {"id": analysis, "sha256": hashlib.sha256(state).hexdigest()})


def hand_on(engine: Engine, lease: AnalysisLease) -> None:
    """Let go of it, for whoever comes next. Raises Fenced."""

    def work(connection: Connection) -> None:
        if enter(connection, lease, "hand on", ending="queued"):
            connection.execute(_HAND_ON, {"id": lease.id})

    fenced(engine, work)


def finish(engine: Engine, lease: AnalysisLease, finding: Finding) -> None:
    """End it with what it has found. Raises Fenced."""
    found, meta = (json.dumps(dict(one), allow_nan=False) for one in (finding.values, finding.meta))
    arrays = weights_to_bytes(finding.arrays)

    def work(connection: Connection) -> None:
        if enter(connection, lease, "finish", 1.0, progress=True, ending="succeeded"):
            connection.execute(_SUCCEED, {"id": lease.id, "found": found, "meta": meta})
            parts.remove(connection, lease.id, "state")
            parts.save(connection, lease.id, "arrays", arrays)
            touch(connection, lease.experiment_id)

    fenced(engine, work)


def give_up(engine: Engine, lease: AnalysisLease, settings: Settings, why: str) -> None:
    """Let go as lost: this worker is not fit to go on. It counts as a loss. Raises Fenced."""

    def work(connection: Connection) -> None:
        if enter(connection, lease, "give up", ending="queued"):
            row: RowMapping = connection.execute(_HELD, {"id": lease.id}).mappings().one()
            losing.lose(connection, row, settings.max_losses, f"on {row['machine']}: {why}")

    fenced(engine, work)


def fail(engine: Engine, lease: AnalysisLease, cause: str, message: str) -> None:
    """End it as failed. Raises Fenced."""

    def work(connection: Connection) -> None:
        if enter(connection, lease, "fail", ending="failed"):
            losing.fail(connection, lease.id, lease.experiment_id, cause, message)

    fenced(engine, work)
