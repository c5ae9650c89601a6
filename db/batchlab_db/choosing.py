"""Whose turn it is: the next piece of work for a worker.

Experiments share by turns: the highest priority first, then the one that was served longest ago. Within one, a cohort
that waits goes before cells that never ran, so that few are unfinished at a time. An isolated cohort starts when no
other slice runs on its machine; while it is the next in turn there, nothing else is claimed on that machine, so that
it is not starved.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from batchlab_db import locks
from batchlab_db.settings import Settings
from batchlab_db.workers import ABLE, WorkerInfo

# A cell that asks for one card of a machine (`cuda:1`) is trained on no other.
_CARD = "(k.queue <> 'gpu' OR k.point ->> 'device' IN ('cuda', {device}))"
_MY_CARD = _CARD.format(device=":device")
_MAY_SERVE = f"{ABLE} AND (k.queue = 'any' OR k.queue = ANY(w.queues)) AND {_CARD.format(device='w.device')}"
_DATA = "k.point -> 'dataset' ->> 'kind'"
_SAME_KIND = "(c.queue = 'cpu' OR split_part(w.device, ':', 1) = split_part(c.device, ':', 1))"
_READY = f"""
    c.status = 'ready' AND c.queue = ANY(:queues)
    AND (c.not_before IS NULL OR c.not_before <= clock_timestamp())
    -- Bits depend on the device: a cohort stays on its kind while a worker with one lives.
    AND (c.queue = 'cpu' OR split_part(c.device, ':', 1) = :kind
         OR NOT EXISTS (SELECT FROM workers w WHERE {ABLE} AND {_SAME_KIND}))
    AND EXISTS (SELECT FROM cells k WHERE k.cohort_id = c.id AND {_MY_CARD} AND CASE
        -- One that was lost without progress tries another machine where there is one.
        WHEN c.losses > 0 THEN c.machine IS DISTINCT FROM :machine
            OR NOT EXISTS (SELECT FROM workers w WHERE {_MAY_SERVE} AND {_SAME_KIND} AND w.machine <> :machine)
        ELSE {_DATA} = ANY(:datasets)
            OR NOT EXISTS (SELECT FROM workers w WHERE {_MAY_SERVE} AND {_SAME_KIND} AND {_DATA} = ANY(w.datasets))
        END)
"""
_WAITING = f"""
    k.status = 'queued' AND k.cohort_id IS NULL AND k.queue = ANY(:queues) AND {_MY_CARD}
    -- It goes to a worker that has its data; where none has, it is downloaded.
    AND ({_DATA} = ANY(:datasets)
         OR NOT EXISTS (SELECT FROM workers w WHERE {_MAY_SERVE} AND {_DATA} = ANY(w.datasets)))
"""
_OPEN = "e.outcome IS NULL AND e.deleted_at IS NULL AND NOT e.paused"
_NEXT = text(
    f"""
    SELECT e.id, e.priority FROM experiments e
    WHERE {_OPEN} AND (
        EXISTS (SELECT FROM cohorts c WHERE c.experiment_id = e.id AND {_READY})
        OR EXISTS (SELECT FROM cells k WHERE k.experiment_id = e.id AND {_WAITING}))
    ORDER BY e.priority DESC, e.served_at NULLS FIRST, e.created_at, e.id
    LIMIT :most
    """
)
_ISOLATED = text(
    "SELECT DISTINCT k.experiment_id FROM cells k WHERE k.experiment_id = ANY(:experiments) AND k.isolated "
    "AND k.status IN ('queued','running')"
)
_COHORT = text(
    f"""
    SELECT c.id, c.isolated, c.queue FROM cohorts c JOIN experiments e ON e.id = c.experiment_id
    WHERE e.id = :experiment AND {_OPEN} AND {_READY}
    ORDER BY c.ready_since NULLS FIRST, c.id LIMIT 1
    FOR UPDATE OF c SKIP LOCKED
    """
)
_CELL = text(
    f"""
    SELECT k.stack_key, k.isolated, k.queue FROM cells k JOIN experiments e ON e.id = k.experiment_id
    WHERE e.id = :experiment AND {_OPEN} AND {_WAITING}
    ORDER BY k.ordinal LIMIT 1
    """
)
_RUNNING_HERE = text(
    """
    SELECT count(*), count(*) FILTER (WHERE isolated) FROM (
        SELECT isolated FROM cohorts WHERE status = 'running' AND machine = :machine
        UNION ALL
        SELECT false FROM analyses WHERE status = 'running' AND machine = :machine
    ) AS running
    """
)


@dataclass(frozen=True)
class Piece:
    """What to claim: a cohort that waits, or (`cohort_id` None) new cells with this `stack_key`."""

    experiment_id: str
    cohort_id: int | None
    stack_key: str | None
    queue: str
    isolated: bool


def parameters(me: WorkerInfo, settings: Settings) -> dict[str, Any]:
    """What the queries above ask about the worker."""
    return {
        "queues": [*me.queues, "any"],
        "device": me.device,
        "kind": me.device.split(":")[0],
        "datasets": list(me.datasets),
        "machine": me.machine,
        "alive": settings.alive_seconds,
    }


def next_experiment(connection: Connection, asked: dict[str, Any]) -> str | None:
    """The experiment whose turn it is."""
    return next(iter(in_turn(connection, asked, 1)), None)


def in_turn(connection: Connection, asked: dict[str, Any], most: int) -> list[str]:
    """The experiment whose turn it is and those of its priority that follow, so many at most."""
    rows = connection.execute(_NEXT, {**asked, "most": most}).all()
    return [id for id, priority in rows if priority == rows[0].priority]


def free(connection: Connection, turns: Sequence[str]) -> str:
    """Lock an experiment: the first of these whose lock is free, since whoever holds one is claiming of it.

    Where none is, wait for any of them, or many would wait for one. An experiment with isolated cells, which must hold
    its machine in its turn, is neither passed over nor moved up.
    """
    if locks.try_experiment(connection, turns[0]):
        return turns[0]
    isolated = set(connection.scalars(_ISOLATED, {"experiments": list(turns)}))
    others = list(takewhile(lambda id: id not in isolated, turns))
    for experiment_id in others[1:]:
        if locks.try_experiment(connection, experiment_id):
            return experiment_id
    chosen = random.choice(others or turns[:1])
    locks.experiment(connection, chosen)
    return chosen


def next_piece(connection: Connection, experiment_id: str, asked: dict[str, Any]) -> Piece | None:
    """The next piece of an experiment (whose lock is held); None where somebody was faster."""
    known = {**asked, "experiment": experiment_id}
    cohort = connection.execute(_COHORT, known).mappings().one_or_none()
    if cohort is not None:
        return Piece(experiment_id, cohort["id"], None, cohort["queue"], cohort["isolated"])
    cell: RowMapping | None = connection.execute(_CELL, known).mappings().one_or_none()
    if cell is None:
        return None
    return Piece(experiment_id, None, cell["stack_key"], cell["queue"], cell["isolated"])


def must_wait(connection: Connection, isolated: bool, machine: str) -> bool:
    """Whether isolation forbids another slice on this machine now (whose lock is held)."""
    running, alone = connection.execute(_RUNNING_HERE, {"machine": machine}).one()
    return bool(alone or (isolated and running))


def alone_is_next(connection: Connection, asked: dict[str, Any]) -> bool:
    """Whether the machine (whose lock is held) belongs, or is about to, to a cohort that must be alone on it."""
    _, alone = connection.execute(_RUNNING_HERE, asked).one()
    experiment_id = None if alone else next_experiment(connection, asked)
    piece = None if experiment_id is None else next_piece(connection, experiment_id, asked)
    return bool(alone) or (piece is not None and piece.isolated)
