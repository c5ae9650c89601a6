"""A slice: claim a cohort, go on from its checkpoint, train for a bounded time, record each block, hand on.

Whatever goes wrong in between is caught here and ends in one of the outcomes; a slice never raises.
"""

import gc
import json
import sys
import time
from dataclasses import dataclass
from typing import Literal

import structlog
from batchlab import engines, state
from batchlab.cell import Cell
from batchlab.datasets import Dataset
from batchlab.engines.base import Block, CellBlock, Snapshot
from batchlab_db import claims
from batchlab_db.errors import Fenced
from batchlab_db.leases import Lease
from sqlalchemy.exc import SQLAlchemyError

from batchlab_worker import causes, crash, device
from batchlab_worker.bench import Bench
from batchlab_worker.hold import Hold, LeaseOver
from batchlab_worker.pace import Pace
from batchlab_worker.supervisor import EX_TEMPFAIL

Outcome = Literal["finished", "handed_on", "stopped", "fenced", "failed", "lost"]

log = structlog.get_logger("batchlab.slice")


def run_slice(bench: Bench) -> Outcome | None:
    """Train what is next in turn for up to `slice_seconds`; None where there is nothing to do.

    Raises what the database raises while nothing is claimed yet.
    """
    began = time.monotonic()
    try:
        lease = claims.claim(bench.engine, bench.me, bench.settings, bench.trainers)
    except Fenced:
        return "fenced"
    if lease is None:
        return None
    crash.point("claim")
    bench.work_on(lease.cohort_id)
    slice_ = Slice(bench, lease, began)
    outcome = slice_.run()
    slice_.report(outcome)
    if outcome in ("failed", "lost"):
        _free_memory()
    bench.service.slice_ended(slice_.dataset)
    return outcome


@dataclass
class Slice:
    """One bounded stretch of work on a claimed cohort."""

    bench: Bench
    lease: Lease
    began: float
    """Monotonic time before the claim."""
    updates: int = 0
    """Of all its cells together."""
    train_seconds: float = 0.0
    message: str | None = None
    """What went wrong."""
    dataset: Dataset | None = None

    def run(self) -> Outcome:
        """Train, hand on, and turn whatever goes wrong into an outcome."""
        with Hold(self.bench.engine, self.lease, self.bench.settings, self.bench.control, self.began) as hold:
            try:
                return self._work(hold)
            except (Fenced, LeaseOver) as error:
                self.message = str(error) or type(error).__name__
                return "fenced"
            except BaseException as error:
                return self._ended_by(error, hold)

    def _work(self, hold: Hold) -> Outcome:
        self._train(hold)
        if self.lease.finished:
            return "finished"
        hold.moved("save")
        outcome: Outcome = "stopped" if self.bench.control.leaving else "handed_on"
        crash.point("before-hand-on")
        hold.write(lambda: claims.hand_on(self.bench.engine, self.lease, None, outcome))
        crash.point("after-hand-on")
        return outcome

    def _train(self, hold: Hold) -> None:
        settings, lease = self.bench.settings, self.lease
        cells = [Cell.model_validate_json(json.dumps(cell.point)) for cell in lease.cells]
        self.dataset = cells[0].dataset
        data = self.bench.load(cells[0].dataset)
        hold.moved("prepare")
        before = None if lease.checkpoint is None else state.from_bytes(lease.checkpoint)
        size = None if lease.checkpoint is None else len(lease.checkpoint)
        pace = Pace(settings.slice_seconds, settings.checkpoint_bytes_inline, size)
        engine = engines.by_name(lease.engine)
        for block, snapshot in engine.train(
            cells, data, before, device=device.own(lease.device), block_seconds=settings.block_seconds
        ):
            hold.moved("train")
            over = pace.over() or self.bench.control.leaving
            self._record(block, snapshot, hold, pace, save=over)
            if over or lease.finished:
                return
        raise RuntimeError(f"the engine {engine.name} stopped before its cells had ended")

    def _record(self, block: Block, snapshot: Snapshot, hold: Hold, pace: Pace, *, save: bool) -> None:
        began = time.monotonic()
        # What is kept is never taken back: the state goes with it.
        settled = any(cell.ending is not None or cell.kept for cell in block.cells.values())
        checkpoint = state.to_bytes(snapshot()) if save or settled or pace.due() else None
        crash.point("before-block")
        if checkpoint is not None:
            crash.point("before-checkpoint")
        hold.write(lambda: claims.record(self.bench.engine, self.lease, block, checkpoint, "train"))
        if checkpoint is not None:
            crash.point("after-checkpoint")
            pace.saved(len(checkpoint), time.monotonic() - began)
        crash.point("after-block")
        self.updates += sum(map(updates_of, block.cells.values()))
        self.train_seconds += block.train_seconds

    def _ended_by(self, error: BaseException, hold: Hold) -> Outcome:
        """Let go of the cohort after an error that is not the lease's."""
        self.message = causes.message_of(error)
        log.error("error in a slice", cohort=self.lease.cohort_id, exc_info=error)
        if causes.is_database_full(error):
            return "lost"  # nothing can be written, and nothing is the cell's fault: the lease runs out
        try:
            return self._let_go(error, hold)
        except (Fenced, LeaseOver, SQLAlchemyError) as second:
            log.warning("could not say why", error=causes.message_of(second))
            return "fenced"

    def _let_go(self, error: BaseException, hold: Hold) -> Outcome:
        engine, lease, message = self.bench.engine, self.lease, causes.message_of(error)
        lab_fault = isinstance(error, SQLAlchemyError)
        if not lab_fault and (causes.is_device_error(error) or not device.works(device.own(lease.device))):
            self.bench.control.leave(EX_TEMPFAIL)
            lab_fault = True
        if lab_fault:  # not the cell's: another try, here or elsewhere, may go well
            hold.write(lambda: claims.give_up(engine, lease, self.bench.settings, message))
            return "lost"
        hold.write(lambda: claims.fail(engine, lease, causes.cause_of(error), message))
        return "failed"

    def report(self, outcome: Outcome) -> None:
        """One line in the log; and the speed, for estimates of the time left."""
        seconds = time.monotonic() - self.began
        lease, me = self.lease, self.bench.me
        if outcome in ("finished", "handed_on"):
            self.bench.control.note_speed(lease.engine, self.updates, seconds)
        log.info(
            "slice",
            outcome=outcome,
            experiment=lease.experiment_id,
            cohort=lease.cohort_id,
            epoch=lease.epoch,
            worker=me.id,
            engine=lease.engine,
            device=lease.device,
            updates=self.updates,
            seconds=round(seconds, 3),
            training=round(self.train_seconds, 3),
            **({} if self.message is None else {"message": self.message}),
        )


def updates_of(cell: CellBlock) -> int:
    """Updates of one cell's stretch."""
    return max((len(values) for values in cell.updates.values()), default=0)


def _free_memory() -> None:
    """Give back what a failed slice held, also on the GPU."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
