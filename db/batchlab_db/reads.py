"""What is shown of experiments: lists, one experiment with its progress, its status at this moment.

The status is computed when it is read: an experiment that nobody can work on is `stalled`, never `running` for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, RowMapping, TextClause, text

from batchlab_db import cursors
from batchlab_db.errors import NotFound
from batchlab_db.workers import LIVING

Row = RowMapping
ENDED = ("succeeded", "failed", "cancelled")
OPEN = ("queued", "running", "stalled", "paused")
RECENT_SECONDS = 120.0
"""The speed of an experiment is that of its slices of the last so many seconds."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A queue, or the one card that a cell asks for.
_NEED = "CASE WHEN queue = 'gpu' THEN coalesce(nullif(point ->> 'device', 'cuda'), queue) ELSE queue END"
_SHOWN = f"""
    SELECT shown.*, CASE
        WHEN outcome IS NOT NULL THEN outcome
        WHEN paused THEN 'paused'
        -- A new one is given the time in which a worker is taken for alive.
        WHEN NOT served AND (started_at IS NOT NULL OR created_at < clock_timestamp() - make_interval(secs => :alive))
            THEN 'stalled'
        WHEN started_at IS NOT NULL THEN 'running'
        ELSE 'queued' END AS status
    FROM (
        SELECT e.*, c.*, a.analyses, recent.speed, EXISTS (
            SELECT FROM workers w WHERE w.{LIVING}
                AND ('any' = ANY(c.needs) OR (w.queues || w.device) && c.needs)) AS served
        FROM chosen e
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE status = 'queued') AS queued,
                count(*) FILTER (WHERE status = 'running') AS running,
                count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
                count(*) FILTER (WHERE status = 'diverged') AS diverged,
                count(*) FILTER (WHERE status = 'failed') AS failed,
                count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
                coalesce(sum(steps_done), 0)::bigint AS updates_done,
                coalesce(sum(steps_total - steps_done) FILTER (WHERE status IN ('queued', 'running')), 0)::bigint
                    AS updates_left,
                coalesce(sum((steps_total - steps_done) * work) FILTER (WHERE status IN ('queued', 'running')), 0)
                    AS work_left,
                coalesce(array_agg(DISTINCT {_NEED}) FILTER (WHERE status IN ('queued', 'running')), '{{}}') AS needs
            FROM cells WHERE experiment_id = e.id
        ) c
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_object_agg(status, n), '{{}}') AS analyses,
                max(kinds) FILTER (WHERE status = 'succeeded') AS analysed
            FROM (SELECT status, count(*) AS n, array_agg(DISTINCT kind) AS kinds FROM analyses
                  WHERE experiment_id = e.id GROUP BY 1) counted
        ) a
        CROSS JOIN LATERAL (
            SELECT (sum(work) / nullif(extract(epoch FROM clock_timestamp() - min(started_at)), 0))::float8 AS speed
            FROM slices WHERE experiment_id = e.id AND started_at > clock_timestamp() - make_interval(secs => :recent)
        ) recent
    ) shown
"""
_SUMMARY = (
    "id, name, note, tags, study, created_at, started_at, finished_at, error, version, updates_total, outcome, paused"
)
_ONE = text(
    f"""
    WITH chosen AS (SELECT {_SUMMARY}, spec, metrics FROM experiments WHERE id = :id AND deleted_at IS NULL) {_SHOWN}
    """
)
_LIST = text(
    f"""
    WITH chosen AS MATERIALIZED (
        SELECT {_SUMMARY} FROM experiments
        WHERE deleted_at IS NULL AND (created_at, id) < (:before, :before_id)
            AND (CAST(:outcomes AS text[]) IS NULL OR coalesce(outcome, 'open') = ANY(:outcomes))
            AND (CAST(:tag AS text) IS NULL OR tags @> ARRAY[:tag])
            AND (CAST(:q AS text) IS NULL OR id = :q OR concat_ws(E'\\n', name, study, note) ILIKE :pattern)
        ORDER BY created_at DESC, id DESC LIMIT :candidates
    )
    SELECT * FROM ({_SHOWN}) listed WHERE CAST(:status AS text) IS NULL OR status = :status
    ORDER BY created_at DESC, id DESC LIMIT :limit
    """
)


@dataclass(frozen=True)
class Page:
    """Rows of a list, and the cursor of those that follow; None on the last page."""

    items: Sequence[Row]
    next: str | None


def experiment(connection: Connection, experiment_id: str, alive_seconds: float) -> Row:
    """One experiment: its columns with `spec` and `metrics`, `status`, cells by status (`queued` .. `cancelled`),
    `updates_done`, `updates_left`, `work_left` (seconds as `batchlab.cost` guesses them), `analyses` by status,
    `analysed` (the kinds of those that have succeeded), and `speed` (such seconds a second of late; None where nothing
    ran).

    Raises NotFound.
    """
    query = _asked(_ONE, alive_seconds, id=storable(experiment_id))
    row = connection.execute(*query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no experiment {experiment_id}")
    return row


def storable(given: str) -> str:
    """`given` without the one character that no text in the database has, so that it may be asked for."""
    return given.replace("\x00", "\ufffd")


def status(connection: Connection, experiment_id: str, alive_seconds: float) -> str:
    """The experiment's status at this moment. Raises NotFound."""
    found: str = experiment(connection, experiment_id, alive_seconds)["status"]
    return found


def eta_seconds(row: Row) -> float | None:
    """Seconds until an experiment (as read here) is through at the speed it had of late; None where it has none."""
    if row["status"] in ENDED:
        return 0.0
    if row["status"] != "running" or not row["speed"]:
        return None
    return float(row["work_left"] / row["speed"])


@dataclass(frozen=True)
class Filters:
    """What a list of experiments shows; None leaves a condition out."""

    status: str | None = None
    tag: str | None = None
    """A tag that it has."""
    q: str | None = None
    """Text within its name, study or note, in any case, or its id."""

    @property
    def mark(self) -> tuple[str | None, ...]:
        return ("experiments", self.status, self.tag, self.q)


def experiments(
    connection: Connection, alive_seconds: float, filters: Filters, *, limit: int = 50, cursor: str | None = None
) -> Page:
    """A page of experiments, newest first, as `experiment` but without `spec` and `metrics`. Raises BadCursor."""
    before, before_id = _position(filters, cursor)
    tag, q = (None if given is None else storable(given) for given in (filters.tag, filters.q))
    rows = connection.execute(
        *_asked(
            _LIST,
            alive_seconds,
            before=before,
            before_id=before_id,
            outcomes=_outcomes(filters.status),
            tag=tag,
            q=q,
            pattern=f"%{escaped(q or '')}%",
            # A status that is computed may drop any number of candidates.
            candidates=None if filters.status in OPEN else limit + 1,
            status=filters.status,
            limit=limit + 1,
        )
    )
    found = rows.mappings().all()
    return Page(found[:limit], _next(filters, found[limit - 1]) if len(found) > limit else None)


def _asked(query: TextClause, alive_seconds: float, **values: object) -> tuple[TextClause, dict[str, object]]:
    return query, {"alive": alive_seconds, "recent": RECENT_SECONDS, **values}


def _outcomes(wanted: str | None) -> list[str] | None:
    return None if wanted is None else ["open" if wanted in OPEN else wanted]


def escaped(q: str) -> str:
    """Text for LIKE that stands for itself."""
    return q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _position(filters: Filters, cursor: str | None) -> tuple[datetime, str]:
    if cursor is None:
        return datetime.max.replace(tzinfo=UTC), ""
    micros, experiment_id = cursors.decode(filters.mark, cursor, int, str)
    return EPOCH + timedelta(microseconds=int(micros)), str(experiment_id)


def _next(filters: Filters, row: Row) -> str:
    micros = (row["created_at"] - EPOCH) // timedelta(microseconds=1)
    return cursors.encode(filters.mark, (micros, row["id"]))
