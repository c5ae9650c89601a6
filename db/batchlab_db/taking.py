"""The first half of a claim: choose, form where needed, and take, in one short transaction."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import Connection, text

from batchlab_db import choosing, locks
from batchlab_db.choosing import Piece
from batchlab_db.forming import Engines, device_for, form
from batchlab_db.leases import Lease
from batchlab_db.settings import Settings
from batchlab_db.workers import WorkerInfo

Taken = Lease | Literal["again", "leftover"] | None
"""A lease without its cells yet; or: look again; or: the worker already holds one, which it does not know of."""

TURNS = 8
"""Experiments of which one is taken, where others claim at the same time."""
_LEFTOVER = text("SELECT FROM cohorts WHERE worker_id = :worker AND status = 'running'")
_TAKE = text(
    """
    UPDATE cohorts SET status = 'running', epoch = epoch + 1, worker_id = :worker, machine = :machine,
        lease_until = clock_timestamp() + make_interval(secs => :seconds), device = :device,
        ready_since = NULL, not_before = NULL, progressed = false, phase = 'claim'
    WHERE id = :cohort RETURNING id, epoch, engine
    """
)
_SERVE = text(
    """
    UPDATE experiments SET served_at = clock_timestamp(), started_at = coalesce(started_at, clock_timestamp()),
        version = version + 1
    WHERE id = :experiment
    """
)
_OPEN_SLICE = text(
    """
    INSERT INTO slices (experiment_id, cohort_id, epoch, worker_id) VALUES (:experiment, :cohort, :epoch, :worker)
    RETURNING id
    """
)
_DISK_PAUSE = text(
    "SELECT FROM facts WHERE name = 'disk' AND (value ->> 'pause')::boolean "
    "AND at > clock_timestamp() - make_interval(secs => :alive)"
)


def take(connection: Connection, me: WorkerInfo, settings: Settings, engines: Engines) -> Taken:
    """Take the next piece of work for this worker."""
    locks.machine(connection, me.machine)
    if connection.execute(_LEFTOVER, {"worker": me.id}).first() is not None:
        return "leftover"
    asked = choosing.parameters(me, settings)
    turns = choosing.in_turn(connection, asked, TURNS)
    if not turns or disk_is_short(connection, asked):
        return None
    experiment_id = choosing.free(connection, turns)
    piece = choosing.next_piece(connection, experiment_id, asked)
    if piece is None:
        return "again"
    if choosing.must_wait(connection, piece.isolated, me.machine):
        return None
    cohort_id = piece.cohort_id or form(connection, piece, me, engines)
    if cohort_id is None:
        return "again"
    return _lease(connection, replace(piece, cohort_id=cohort_id), me, settings)


def disk_is_short(connection: Connection, asked: Mapping[str, Any]) -> bool:
    """Whether the database's volume is nearly full, by the account of whoever can see it."""
    return connection.execute(_DISK_PAUSE, asked).first() is not None


def _lease(connection: Connection, piece: Piece, me: WorkerInfo, settings: Settings) -> Lease:
    device = device_for(piece.queue, me)
    known = {"cohort": piece.cohort_id, "experiment": piece.experiment_id, "worker": me.id}
    place = {"machine": me.machine, "device": device, "seconds": settings.lease_seconds}
    row = connection.execute(_TAKE, known | place).one()
    slice_id = connection.execute(_OPEN_SLICE, known | {"epoch": row.epoch}).scalar_one()
    connection.execute(_SERVE, known)
    return Lease(
        cohort_id=row.id,
        epoch=row.epoch,
        experiment_id=piece.experiment_id,
        slice_id=slice_id,
        engine=row.engine,
        device=device,
        seconds=settings.lease_seconds,
    )
