"""The reconciler: rescues what dead workers held, sends again the wake-ups that got lost, and purges.

It runs in every worker and in the api. Nothing breaks where several run at once: each row is rescued in a transaction
of its own that looks again, so a row that fails is logged and stops no other. Its last success is the fact
`reconciler`, which readiness looks at.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine, text

from batchlab_db import broker, disk, elsewhere, facts, kept, locks
from batchlab_db.analyses import losing
from batchlab_db.demand import demand
from batchlab_db.engine import transact
from batchlab_db.periodic import Every
from batchlab_db.purging import purge_batch, purge_old
from batchlab_db.rescue import rescue
from batchlab_db.settings import Settings

PAGE = 500
MOST_BATCHES = 20
PATIENCE = 1.0
JITTER = 0.2
T = TypeVar("T")

_CAPS = [
    text(
        f"""
        UPDATE {table} SET lease_until = clock_timestamp() + make_interval(secs => :seconds)
        WHERE status = 'running' AND lease_until > clock_timestamp() + make_interval(secs => 2 * :seconds)
        """
    )
    for table in ("cohorts", "analyses")
]
_EXPIRED = text(
    """
    SELECT id FROM cohorts
    WHERE status = 'running' AND id > :after AND coalesce(lease_until, '-infinity') < clock_timestamp()
    ORDER BY id LIMIT :page
    """
)

log = structlog.get_logger("batchlab.reconcile")


@dataclass
class Report:
    """What one pass did."""

    rescued: int = 0
    resent: int = 0
    purged: int = 0
    errors: int = 0
    """Rows or steps that raised; each is in the log."""


def reconcile(engine: Engine, settings: Settings) -> Report:
    """One pass. A step that fails does not stop the others."""
    return Pass(engine, settings).run()


def thread(engine: Engine, settings: Settings) -> Every:
    """A thread (not yet started) that reconciles every `reconcile_seconds`."""
    return Every("reconcile", settings.reconcile_seconds, lambda: reconcile(engine, settings), jitter=JITTER)


class Pass:
    """One pass of the reconciler: its steps, each of which may be run by itself."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings, self.report = engine, settings, Report()

    def run(self) -> Report:
        steps = (self.rescue, self.rescue_analyses, self.resend, self.purge, self.watch_disk)
        done = [self._guarded(step.__name__, step) for step in steps]
        if all(done):
            self._guarded("liveness", lambda: self._do(lambda c: facts.put(c, "reconciler")))
        return self.report

    def _do(self, work: Callable[[Connection], T]) -> T:
        return transact(self.engine, work, patience=PATIENCE)

    def _guarded(self, what: str, act: Callable[[], object]) -> bool:
        try:
            act()
        except Exception as error:  # whatever it is, the other rows and steps have their turn
            self.report.errors += 1
            log.warning("reconciling failed", what=what, error=f"{type(error).__name__}: {error}"[:300])
            return False
        return True

    def rescue(self) -> None:
        # A lease further ahead than any can be comes of a clock that was set back: it must not freeze the cohort.
        self._do(partial(_cap, {"seconds": self.settings.lease_seconds}))
        for cohort in self._expired():
            self._guarded(f"rescue of {cohort}", partial(self._rescue_one, cohort))

    def _rescue_one(self, cohort: int) -> None:
        if self._do(lambda c: rescue(c, cohort, self.settings.max_losses)):
            self.report.rescued += 1
            log.info("rescued", cohort=cohort)

    def _expired(self) -> Iterator[int]:
        """Cohorts whose lease has ended, page by page: rows that cannot be rescued do not hide the others."""
        page: Sequence[int] = [0]
        while page:
            asked = {"after": page[-1], "page": PAGE}
            page = self._do(partial(_page, asked))
            yield from page

    def rescue_analyses(self) -> None:
        page: Sequence[str] = [""]
        while page:
            page = self._do(partial(losing.expired, after=page[-1], page=PAGE))
            for analysis in page:
                self._guarded(f"rescue of analysis {analysis}", partial(self._rescue_analysis, analysis))

    def _rescue_analysis(self, analysis: str) -> None:
        if self._do(lambda c: losing.rescue(c, analysis, self.settings.max_losses)):
            self.report.rescued += 1
            log.info("rescued", analysis=analysis)

    def resend(self) -> None:
        """Wake idle workers where there is work, but not more often than every `resend_seconds` in the whole lab."""
        wanted = demand(self.engine, self.settings, idle=True)
        if not wanted:
            return
        if self._do(lambda c: _is_due(c, self.settings.resend_seconds)):
            self.report.resent = broker.wake_each(self.settings, wanted)
            self._do(lambda c: facts.count(c, "resent_total", self.report.resent))

    def purge(self) -> None:
        for _ in range(MOST_BATCHES):
            gone = self._do(lambda c: purge_batch(c) if locks.chore(c, "purge") else 0)
            self.report.purged += gone
            if not gone:
                break
        self._guarded("freeing of weights", self._free)
        self._do(purge_old)

    def _free(self) -> None:
        """Remove the kept weights that no cell refers to any more, and what they have left elsewhere."""
        for _ in range(MOST_BATCHES):
            gone = self._do(lambda c: kept.free(c) if locks.chore(c, "purge") else [])
            elsewhere.remove([url for url in gone if url is not None])
            self.report.purged += len(gone)
            if not gone:
                break
        self.report.purged += elsewhere.sweep(self.engine, self.settings)

    def watch_disk(self) -> None:
        """Tell the workers that cannot see the database's volume whether it is nearly full."""
        if self.settings.database_volume is not None:
            known = json.dumps({"pause": disk.shortage(self.settings, "pause") is not None})
            self._do(lambda c: facts.put(c, "disk", known))


def _cap(asked: Mapping[str, float], connection: Connection) -> None:
    for statement in _CAPS:
        connection.execute(statement, asked)


def _page(asked: Mapping[str, int], connection: Connection) -> Sequence[int]:
    return connection.scalars(_EXPIRED, asked).all()


def _is_due(connection: Connection, seconds: float) -> bool:
    """Whether nobody has resent of late; if so, this call is noted as the one that does."""
    if not locks.chore(connection, "resend"):
        return False
    last = facts.get(connection, "resend")
    if last is not None and last.age < seconds:
        return False
    facts.put(connection, "resend")
    return True
