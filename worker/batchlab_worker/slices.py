"""A slice of training: claim a cohort, go on from its checkpoint, train for a bounded time, record each block, hand on.

Whatever goes wrong in between is caught (`stretch`) and ends in one of the outcomes; a slice never raises.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from batchlab import cost, engines, state
from batchlab.cell import Cell
from batchlab.datasets import Dataset
from batchlab.engines.base import Block, Snapshot
from batchlab_db import claims
from batchlab_db.elsewhere import Elsewhere
from batchlab_db.errors import Fenced
from batchlab_db.leases import Lease

from batchlab_worker import crash, device
from batchlab_worker.behind import Behind
from batchlab_worker.bench import Bench
from batchlab_worker.hold import Hold
from batchlab_worker.pace import Pace
from batchlab_worker.stretch import Outcome, Stretch, free_memory

SHORTER = 4
"""Blocks of cells together are so many times as short: a cohort may be a second of work, and what is not stored at its
end is waited for."""
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
        free_memory()
    bench.service.slice_ended(slice_.dataset)
    return outcome


class Slice(Stretch):
    """One bounded stretch of work on a claimed cohort."""

    lease: Lease

    def __init__(self, bench: Bench, lease: Lease, began: float) -> None:
        super().__init__(bench, lease, began)
        self.updates = 0
        """Of all its cells together."""
        self.done = 0.0
        """Their seconds by the rates of this machine."""
        self.of_an_update: list[float] = []
        """Such seconds, by position."""
        self.train_seconds = 0.0
        self.dataset: Dataset | None = None

    def work(self, hold: Hold) -> Outcome:
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
        self.dataset, self.of_an_update = cells[0].dataset, self._work(cells)
        data = cells[0].load(self.bench.load)
        hold.moved("prepare")
        before = None if lease.checkpoint is None else state.from_bytes(lease.checkpoint)
        size = None if lease.checkpoint is None else len(lease.checkpoint)
        pace = Pace(settings.slice_seconds, settings.checkpoint_bytes_inline, size)
        engine = engines.by_name(lease.engine)
        # A cell alone is not trained while its last block is stored: its seconds are its own.
        together, over = len(cells) > 1, False
        seconds = settings.block_seconds / (SHORTER if together else 1)
        with Behind(apart=together) as behind:
            for block, snapshot in engine.train(
                cells, data, before, device=device.own(lease.device), block_seconds=seconds
            ):
                hold.moved("train")
                behind.wait()
                over = pace.over() or self.bench.control.leaving
                behind.run(self._recording(block, snapshot, hold, pace, save=over))
                if over or lease.finished:
                    break
        if not over and not lease.finished:
            raise RuntimeError(f"the engine {engine.name} stopped before its cells had ended")

    def _recording(self, block: Block, snapshot: Snapshot, hold: Hold, pace: Pace, *, save: bool) -> Callable[[], None]:
        """What stores the block, with the state after it, which is taken now, where one is due."""
        began = time.monotonic()
        # What is kept is never taken back: the state goes with it.
        settled = any(cell.ending is not None or cell.kept for cell in block.cells.values())
        checkpoint = state.to_bytes(snapshot()) if save or settled or pace.due() else None
        return partial(self._record, block, checkpoint, hold, pace, began)

    def _record(self, block: Block, checkpoint: bytes | None, hold: Hold, pace: Pace, began: float) -> None:
        crash.point("before-block")
        if checkpoint is not None:
            crash.point("before-checkpoint")
        place = Elsewhere.of(self.bench.settings)
        hold.write(lambda: claims.record(self.bench.engine, self.lease, block, checkpoint, place=place))
        if checkpoint is not None:
            crash.point("after-checkpoint")
            pace.saved(len(checkpoint), time.monotonic() - began)
        crash.point("after-block")
        self.updates += block.n
        self.done += sum(cell.n * self.of_an_update[position] for position, cell in block.cells.items())
        self.train_seconds += block.train_seconds

    def _work(self, cells: Sequence[Cell]) -> list[float]:
        rates = self.bench.trainers.rates_of(device.own(self.lease.device)) or cost.TYPICAL
        return [cost.of_an_update(cell, self.lease.engine, len(cells), rates) + cost.stored(cell) for cell in cells]

    def renew(self, phase: str) -> None:
        claims.renew(self.bench.engine, self.lease, phase)

    def give_up(self, why: str) -> None:
        claims.give_up(self.bench.engine, self.lease, self.bench.settings, why)

    def fail(self, cause: str, message: str) -> None:
        claims.fail(self.bench.engine, self.lease, cause, message)

    def report(self, outcome: Outcome) -> None:
        """One line in the log; and the speed, for estimates of the time left."""
        seconds = time.monotonic() - self.began
        lease, me = self.lease, self.bench.me
        if outcome in ("finished", "handed_on"):
            self.bench.control.note_speed(lease.engine, self.done, seconds)
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
