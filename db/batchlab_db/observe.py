"""The lab's state in numbers, for the metrics page and the list of workers. Every query is short and bounded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, TextClause, text

from batchlab_db import facts
from batchlab_db.workers import LIVING

_CELLS = text("SELECT status, count(*) AS n FROM cells GROUP BY status")
_FAILURES = text("SELECT cause, count(*) AS n FROM cells WHERE status = 'failed' GROUP BY cause")
_COHORTS = text(
    """
    SELECT c.queue, CASE WHEN c.status = 'running' THEN 'leased'
                         WHEN c.not_before > clock_timestamp() THEN 'delayed' ELSE 'ready' END AS state, count(*) AS n
    FROM cohorts c WHERE c.status <> 'done' GROUP BY 1, 2
    """
)
_OLDEST_READY = text(
    """
    SELECT queue, extract(epoch FROM clock_timestamp() - min(since))::float8 AS seconds FROM (
        SELECT c.queue, greatest(c.ready_since, c.not_before) AS since
        FROM cohorts c JOIN experiments e ON e.id = c.experiment_id
        WHERE c.status = 'ready' AND e.outcome IS NULL AND NOT e.paused AND e.deleted_at IS NULL
            AND (c.not_before IS NULL OR c.not_before <= clock_timestamp())
        UNION ALL
        SELECT k.queue, e.created_at FROM experiments e
        JOIN LATERAL (SELECT queue FROM cells WHERE experiment_id = e.id AND status = 'queued' AND cohort_id IS NULL
                      LIMIT 1) k ON true
        WHERE e.outcome IS NULL AND NOT e.paused AND e.deleted_at IS NULL AND e.served_at IS NULL
    ) waiting GROUP BY queue
    """
)
_SIZES = text(
    """
    SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    """
)
_WORKERS = text(
    f"""
    SELECT queue, CASE WHEN state LIKE 'paused%' THEN 'paused' ELSE state END AS state, count(*) AS n
    FROM workers, unnest(queues) AS queue WHERE {LIVING} GROUP BY 1, 2
    """
)
_SLICES = text("SELECT outcome, count(*) AS n FROM slices WHERE outcome IS NOT NULL GROUP BY outcome")
_UPDATES = text(
    """
    SELECT c.engine, split_part(c.device, ':', 1) AS device, sum(s.updates)::bigint AS n
    FROM slices s JOIN cohorts c ON c.id = s.cohort_id GROUP BY 1, 2
    """
)
_RUNNING = text("SELECT id, experiment_id, phase FROM cohorts WHERE status = 'running' AND worker_id IS NOT NULL")


@dataclass(frozen=True)
class Census:
    """How much of everything there is."""

    cells: Mapping[str, int]
    """By status."""
    failures: Mapping[str, int]
    """Failed cells by cause."""
    cohorts: Mapping[tuple[str, str], int]
    """By queue and state: ready, delayed, leased."""
    oldest_ready: Mapping[str, float]
    """Seconds that the longest waiting work of a queue has waited."""
    workers: Mapping[tuple[str, str], int]
    """The living ones, by queue and state."""
    slices: Mapping[str, int]
    """Ended, by outcome; deleted experiments are not counted."""
    updates: Mapping[tuple[str, str], int]
    """Trained in slices, by engine and kind of device; likewise."""
    sizes: Mapping[str, int]
    """Bytes on disk by table, indexes included."""
    counters: Mapping[str, int]
    reconciled_at: float | None
    """When a reconciler last ended well, in seconds since 1970."""


def census(connection: Connection, alive_seconds: float) -> Census:
    """Count what there is."""
    reconciled = facts.get(connection, "reconciler")
    return Census(
        cells=_counts(connection, _CELLS),
        failures=_counts(connection, _FAILURES),
        cohorts=_pairs(connection, _COHORTS),
        oldest_ready=_counts(connection, _OLDEST_READY),
        workers=_pairs(connection, _WORKERS, alive=alive_seconds),
        slices=_counts(connection, _SLICES),
        updates=_pairs(connection, _UPDATES),
        sizes=_counts(connection, _SIZES),
        counters=facts.counters(connection),
        reconciled_at=reconciled.at.timestamp() if reconciled else None,
    )


def _counts(connection: Connection, query: TextClause) -> dict[str, Any]:
    return dict(connection.execute(query).all())


def _pairs(connection: Connection, query: TextClause, **asked: object) -> dict[tuple[str, str], int]:
    return {(first, second): n for first, second, n in connection.execute(query, asked)}


def server_version(connection: Connection) -> str:
    """PostgreSQL's version: that it answers at all."""
    return str(connection.execute(text("SELECT current_setting('server_version')")).scalar_one())


def running_slices(connection: Connection) -> Sequence[RowMapping]:
    """The cohorts that workers hold: `id`, `experiment_id` and the `phase` of the last renewal."""
    return connection.execute(_RUNNING).mappings().all()
