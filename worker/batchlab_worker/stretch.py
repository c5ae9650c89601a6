"""A bounded stretch of work under a lease: whatever goes wrong in it ends in one of the outcomes; it never raises."""

import gc
import sys
from abc import ABC, abstractmethod
from typing import Any, Literal

import structlog
from batchlab_db.errors import Fenced
from sqlalchemy.exc import SQLAlchemyError

from batchlab_worker import causes, device
from batchlab_worker.bench import Bench
from batchlab_worker.hold import Hold, LeaseOver
from batchlab_worker.supervisor import EX_TEMPFAIL

Outcome = Literal["finished", "handed_on", "stopped", "fenced", "failed", "lost"]

log = structlog.get_logger("batchlab.slice")


class Stretch(ABC):
    """What slices of training and of analyses share: the hold, and what becomes of errors."""

    def __init__(self, bench: Bench, lease: Any, began: float) -> None:
        """`began`: monotonic time before the claim."""
        self.bench, self.lease, self.began = bench, lease, began
        self.message: str | None = None
        """What went wrong."""

    @abstractmethod
    def work(self, hold: Hold) -> Outcome:
        """Do the work."""

    @abstractmethod
    def renew(self, phase: str) -> None:
        """Renew the lease."""

    @abstractmethod
    def give_up(self, why: str) -> None:
        """Let go of the work as lost."""

    @abstractmethod
    def fail(self, cause: str, message: str) -> None:
        """End the work as failed."""

    def run(self) -> Outcome:
        """Do the work, and turn whatever goes wrong into an outcome."""
        with Hold(self.lease, self.renew, self.bench.settings, self.bench.control, self.began) as hold:
            try:
                return self.work(hold)
            except (Fenced, LeaseOver) as error:
                self.message = str(error) or type(error).__name__
                return "fenced"
            except BaseException as error:
                return self._ended_by(error, hold)

    def _ended_by(self, error: BaseException, hold: Hold) -> Outcome:
        """Let go of the work after an error that is not the lease's."""
        self.message = causes.message_of(error)
        log.error("error in a slice", work=str(self.lease), exc_info=error)
        if causes.is_database_full(error):
            return "lost"  # nothing can be written, and nothing is the cell's fault: the lease runs out
        try:
            return self._let_go(error, hold)
        except Exception as second:  # the lease runs out, and whoever rescues the work tries to say it again
            log.warning("could not say why", error=causes.message_of(second))
            return "fenced"

    def _let_go(self, error: BaseException, hold: Hold) -> Outcome:
        message = causes.message_of(error)
        lab_fault = isinstance(error, SQLAlchemyError)
        if not lab_fault and (causes.is_device_error(error) or not device.works(device.own(self.lease.device))):
            self.bench.control.leave(EX_TEMPFAIL)
            lab_fault = True
        if lab_fault:  # not the cell's: another try, here or elsewhere, may go well
            hold.write(lambda: self.give_up(message))
            return "lost"
        hold.write(lambda: self.fail(causes.cause_of(error), message))
        return "failed"


def free_memory() -> None:
    """Give back what a failed slice held, also on the GPU."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
