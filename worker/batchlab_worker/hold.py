"""Holding a lease: every write renews it; a thread renews it between writes; and who loses it stops by itself.

Two clocks meet here. The database's says when the lease ends; this process trusts only its own, counts from before it
asked for the renewal, and stops a margin early. So an outage of the database that is shorter than the lease is waited
out, and after a longer one nothing is written by a holder that may have been replaced.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal

import structlog
from batchlab_db.engine import may_retry
from batchlab_db.errors import Fenced
from batchlab_db.periodic import Every
from batchlab_db.settings import Settings
from sqlalchemy.exc import DBAPIError

from batchlab_worker.control import Control
from batchlab_worker.supervisor import EX_TEMPFAIL

Phase = Literal["load", "prepare", "train", "analyse", "save"]
PREPARING: frozenset[Phase] = frozenset({"load", "prepare"})
PREPARE_FACTOR = 6.0
"""Fetching data and compiling may take this many times `stall_seconds` without a sign of progress."""
LEAVE_SECONDS = 3.0
"""How long a process that was asked to end still waits for a database that is away."""

log = structlog.get_logger("batchlab.hold")


class LeaseOver(Exception):
    """The lease could not be renewed in time: another worker may hold the cohort now."""


class Hold:
    """A lease from its claim to its hand-on; a context manager around the slice."""

    def __init__(
        self, lease: object, renew: Callable[[str], None], settings: Settings, control: Control, claimed_at: float
    ) -> None:
        """`renew(phase)` renews the lease; `claimed_at`: monotonic time before the claim was asked for."""
        self.phase: Phase = "load"
        self._lease, self._renewal, self._settings, self._control = lease, renew, settings, control
        self._writing = threading.Lock()
        self._fenced = False
        self._asked_at = claimed_at
        self._moved_at = time.monotonic()
        self._thread = Every("renew", settings.renew_seconds / 4, self._look_after)

    def __enter__(self) -> "Hold":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._thread.stop(1.0)

    def moved(self, phase: Phase) -> None:
        """Say that the slice got on: without this for `stall_seconds` the lease is no longer renewed."""
        self.phase, self._moved_at = phase, time.monotonic()

    def write(self, act: Callable[[], None]) -> None:
        """Run `act`, a write that renews the lease, again and again while the database is away and the lease lasts.

        Raises Fenced or LeaseOver where the lease is, or may be, no longer ours.
        """
        pause = 0.1
        while not self._written(act):
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _written(self, act: Callable[[], None]) -> bool:
        with self._writing:
            self._check()
            asked_at = time.monotonic()
            try:
                act()
            except DBAPIError as error:
                if not may_retry(error):
                    raise
                self._note_outage(error)
                return False
            self._asked_at = asked_at
            return True

    def _check(self) -> None:
        if self._fenced:
            raise Fenced("the lease was lost between two blocks")
        if self._seconds_left() <= 0:
            raise LeaseOver("the lease could not be renewed in time")

    def _seconds_left(self) -> float:
        lasts = self._settings.lease_seconds - self._settings.margin_seconds
        return self._asked_at + lasts - time.monotonic()

    def _note_outage(self, error: DBAPIError) -> None:
        log.warning("database away", error=type(error.orig).__name__, seconds_left=round(self._seconds_left(), 1))
        if self._control.leaving_for() > LEAVE_SECONDS:
            raise LeaseOver("the database is away and this process must end") from error

    def _look_after(self) -> None:
        if time.monotonic() - self._moved_at > self._patience():
            self._give_up()
        elif time.monotonic() - self._asked_at >= self._settings.renew_seconds:
            self._renew()

    def _renew(self) -> None:
        """Renew, unless a write is about to do so."""
        if not self._writing.acquire(blocking=False):
            return
        try:
            self._check()
            asked_at = time.monotonic()
            self._renewal(self.phase)
            self._asked_at = asked_at
        except Fenced:
            self._fenced = True
        finally:
            self._writing.release()

    def _patience(self) -> float:
        return self._settings.stall_seconds * (PREPARE_FACTOR if self.phase in PREPARING else 1.0)

    def _give_up(self) -> None:
        """Renew no more; once the lease is over, end the process, which hangs: its supervisor starts a fresh one."""
        if self._seconds_left() > 0:
            return
        log.error("stalled", phase=self.phase, work=str(self._lease))
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
        os._exit(EX_TEMPFAIL)
