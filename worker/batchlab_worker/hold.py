"""Holding a lease: every write renews it; a thread renews it between writes; and who loses it stops by itself.

Two clocks meet here. The database's says when the lease ends; this process trusts only its own, counts from the moment
before it asked for the renewal, and stops a margin early. So an outage of the database shorter than the lease is
waited out, and after a longer one nothing is written by a holder that may have been replaced.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, TypeVar

import structlog
from batchlab_db import claims
from batchlab_db.engine import may_retry
from batchlab_db.errors import Fenced
from batchlab_db.periodic import Every
from batchlab_db.settings import Settings
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from batchlab_worker.control import Control
from batchlab_worker.supervisor import EX_TEMPFAIL

Phase = Literal["load", "prepare", "train", "save"]
PREPARING: frozenset[Phase] = frozenset({"load", "prepare"})
PREPARE_FACTOR = 6.0
"""Downloading data and compiling may take this many times `stall_seconds` without a sign of progress."""
LEAVE_SECONDS = 3.0
"""How long a process that was asked to end still tries to reach a database that is away."""
T = TypeVar("T")

log = structlog.get_logger("batchlab.hold")


class LeaseOver(Exception):
    """This process could not renew its lease in time and must suppose that another one holds it now."""


class Hold:
    """A lease from its claim to its hand-on. `claimed_at`: monotonic time before the claim was asked for."""

    def __init__(
        self, engine: Engine, lease: claims.Lease, settings: Settings, control: Control, claimed_at: float
    ) -> None:
        self.lease = lease
        self._engine, self._settings, self._control = engine, settings, control
        self._writing = threading.Lock()
        self._fenced = False
        self._phase: Phase = "load"
        self._moved_at = time.monotonic()
        self._renewed(claimed_at)
        self._thread = Every("renew", settings.renew_seconds / 4, self._look_after)

    def __enter__(self) -> "Hold":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._thread.stop(1.0)

    @property
    def phase(self) -> Phase:
        """What the slice is doing."""
        return self._phase

    def moved(self, phase: Phase) -> None:
        """Say that the slice got on: without this for `stall_seconds` the lease is no longer renewed."""
        self._phase, self._moved_at = phase, time.monotonic()

    def check(self) -> None:
        """Raise Fenced or LeaseOver where the lease is, or may be, no longer ours."""
        if self._fenced:
            raise Fenced
        if time.monotonic() >= self._safe_until:
            raise LeaseOver

    def write(self, act: Callable[[], T]) -> T:
        """Run `act`, which renews the lease, again and again while the database is away and the lease lasts."""
        pause = 0.1
        while True:
            self.check()
            began = time.monotonic()
            try:
                with self._writing:
                    result = act()
                self._renewed(began)
                return result
            except DBAPIError as error:
                if not may_retry(error):
                    raise
                self._wait_out(error, pause)
            pause = min(2 * pause, 1.0)

    def _wait_out(self, error: DBAPIError, pause: float) -> None:
        log.warning("database away", error=type(error.orig).__name__, safe_for=round(self._safe_until - _now(), 1))
        if self._control.leaving_for() > LEAVE_SECONDS:
            raise LeaseOver from error
        time.sleep(pause)

    def _renewed(self, asked_at: float) -> None:
        self._renewed_at = asked_at
        self._safe_until = asked_at + self._settings.lease_seconds - self._settings.margin_seconds

    def _look_after(self) -> None:
        if time.monotonic() - self._renewed_at < self._settings.renew_seconds:
            return
        if self._stalled():
            self._give_up()
        elif self._writing.acquire(blocking=False):
            try:
                self._renew()
            finally:
                self._writing.release()

    def _renew(self) -> None:
        began = time.monotonic()
        if began >= self._safe_until or self._fenced:
            return
        try:
            claims.renew(self._engine, self.lease, self._phase)
            self._renewed(began)
        except Fenced:
            self._fenced = True

    def _stalled(self) -> bool:
        patience = self._settings.stall_seconds * (PREPARE_FACTOR if self._phase in PREPARING else 1.0)
        return time.monotonic() - self._moved_at > patience

    def _give_up(self) -> None:
        """Renew no more; once the lease is over, end the process, which hangs: its supervisor starts a fresh one."""
        if time.monotonic() < self._safe_until:
            return
        log.error("stalled", phase=self._phase, cohort=self.lease.cohort_id, epoch=self.lease.epoch)
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
        os._exit(EX_TEMPFAIL)


def _now() -> float:
    return time.monotonic()
