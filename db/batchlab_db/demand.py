"""How many wake-ups are worth sending: as many as there is claimable work and workers for it."""

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, text

from batchlab_db.engine import transact
from batchlab_db.settings import Settings
from batchlab_db.workers import ABLE

QUEUES = ("cpu", "gpu")
MOST_WAKES = 200

_WORK = text(
    """
    WITH open AS (SELECT id FROM experiments WHERE outcome IS NULL AND deleted_at IS NULL AND NOT paused)
    SELECT queue, sum(n)::int AS n FROM (
        SELECT c.queue, count(*) AS n FROM cohorts c JOIN open ON open.id = c.experiment_id
        WHERE c.status = 'ready' AND (c.not_before IS NULL OR c.not_before <= clock_timestamp()) GROUP BY 1
        UNION ALL
        SELECT k.queue, count(*) FROM cells k JOIN open ON open.id = k.experiment_id
        WHERE k.status = 'queued' AND k.cohort_id IS NULL GROUP BY 1
        UNION ALL
        SELECT a.queue, count(*) FROM analyses a JOIN experiments e ON e.id = a.experiment_id
        WHERE a.status = 'queued' AND NOT e.paused AND e.deleted_at IS NULL
            AND (a.not_before IS NULL OR a.not_before <= clock_timestamp()) GROUP BY 1
    ) AS waiting GROUP BY queue
    """
)
_WORKERS = text(
    f"""
    SELECT queue, count(*) AS n FROM workers, unnest(queues) AS queue
    WHERE {ABLE} AND (state = 'idle' OR NOT :idle) GROUP BY queue
    """
)


def demand(engine: Engine, settings: Settings, *, idle: bool = False) -> dict[str, int]:
    """Queue -> wake-ups: one for each claimable piece, but no more than there are able workers (at least one).

    `idle`: count only workers that say they do nothing, and send nothing where there is none.
    """
    asked = {"alive": settings.alive_seconds, "idle": idle}
    return transact(engine, lambda connection: _demand(connection, asked, least=0 if idle else 1))


def _demand(connection: Connection, asked: Mapping[str, object], least: int) -> dict[str, int]:
    work = {row.queue: int(row.n) for row in connection.execute(_WORK)}
    workers = {row.queue: int(row.n) for row in connection.execute(_WORKERS, asked)}
    wanted = {}
    for queue in QUEUES:
        pieces = work.get(queue, 0) + work.get("any", 0)
        wanted[queue] = min(pieces, max(workers.get(queue, 0), least), MOST_WAKES)
    return {queue: n for queue, n in wanted.items() if n}
