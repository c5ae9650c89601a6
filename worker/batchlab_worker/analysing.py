"""A slice of an analysis: claim one, go on from its state, work for a bounded time, hand on or record the finding."""

import json
import time
from collections.abc import Iterator, Sequence

import structlog
from batchlab import state
from batchlab.analyses.base import Piece, Subject
from batchlab.cell import Cell
from batchlab.engines.base import Snapshot, Weights
from batchlab.errors import DataError
from batchlab_db.analyses import asking, leases, reads
from batchlab_db.analyses.leases import AnalysisLease
from sqlalchemy import RowMapping

from batchlab_worker import crash, device
from batchlab_worker.bench import Bench
from batchlab_worker.hold import Hold
from batchlab_worker.pace import Pace
from batchlab_worker.stretch import Outcome, Stretch, free_memory

log = structlog.get_logger("batchlab.slice")


def run_analysis(bench: Bench) -> Outcome | None:
    """Do what is next in turn for up to `slice_seconds`; None where there is nothing to analyse.

    Raises what the database raises while nothing is claimed yet.
    """
    began = time.monotonic()
    lease = leases.claim(bench.engine, bench.me, bench.settings)
    if lease is None:
        return None
    crash.point("claim-analysis")
    bench.work_on(analysis_id=lease.id)
    work = AnalysisSlice(bench, lease, began)
    outcome = work.run()
    work.report(outcome)
    if outcome in ("failed", "lost"):
        free_memory()
    bench.service.slice_ended(work.data)
    return outcome


class AnalysisSlice(Stretch):
    """One bounded stretch of work on a claimed analysis."""

    lease: AnalysisLease

    def __init__(self, bench: Bench, lease: AnalysisLease, began: float) -> None:
        super().__init__(bench, lease, began)
        self.data: object = None
        self._told_at = 0.0

    def work(self, hold: Hold) -> Outcome:
        settings, control = self.bench.settings, self.bench.control
        pieces, size = self._begin(hold)
        pace = Pace(settings.slice_seconds, settings.checkpoint_bytes_inline, size)
        for piece, snapshot in pieces:
            hold.moved("analyse")
            if piece.finding is not None:
                return self._finish(piece, hold)
            over = pace.over() or control.leaving
            self._record(piece, snapshot, hold, pace, save=over)
            if over:
                crash.point("before-analysis-hand-on")
                hold.write(lambda: leases.hand_on(self.bench.engine, self.lease))
                return "stopped" if control.leaving else "handed_on"
        raise RuntimeError("the analysis stopped before it had found anything")

    def _begin(self, hold: Hold) -> tuple[Iterator[tuple[Piece, Snapshot]], int | None]:
        """The analysis under way, and the size of the state from which it goes on."""
        lease, engine = self.lease, self.bench.engine
        analysis = asking.ANALYSES.validate_json(json.dumps(lease.document))
        with engine.connect() as connection:
            rows = reads.cells(connection, lease.subjects)
            before = reads.saved(connection, lease.id, lease.state_sha256)
            weights = [reads.weights(connection, subject) for subject in lease.subjects]
        if len(rows) < len(lease.subjects):
            raise DataError("a cell that is to be looked at is gone")
        subjects = self._subjects(rows, weights, with_data=analysis.needs != "results")
        hold.moved("prepare")
        size = None if before is None else sum(array.nbytes for array in before.arrays.values())
        return analysis.run(subjects, before, device=device.own(lease.device)), size

    def _subjects(
        self, rows: Sequence[RowMapping], weights: Sequence[dict[int, Weights]], *, with_data: bool
    ) -> list[Subject]:
        found = []
        for row, own in zip(rows, weights, strict=True):
            cell = Cell.model_validate_json(json.dumps(row["point"]))
            data = self.bench.load(cell.dataset) if with_data else None
            found.append(Subject(cell, data, own, row["result"]))
            self.data = cell.dataset
        return found

    def _record(self, piece: Piece, snapshot: Snapshot, hold: Hold, pace: Pace, *, save: bool) -> None:
        """Say how far it is, once a block's time has passed, with the state where that is due."""
        began = time.monotonic()
        if not save and began - self._told_at < self.bench.settings.block_seconds:
            return
        kept = state.to_bytes(snapshot()) if save or pace.due() else None
        crash.point("before-state")
        hold.write(lambda: leases.record(self.bench.engine, self.lease, piece.fraction, kept))
        crash.point("after-state")
        self._told_at = time.monotonic()
        if kept is not None:
            pace.saved(len(kept), self._told_at - began)

    def _finish(self, piece: Piece, hold: Hold) -> Outcome:
        finding = piece.finding
        assert finding is not None
        crash.point("before-finding")
        hold.write(lambda: leases.finish(self.bench.engine, self.lease, finding))
        crash.point("after-finding")
        return "finished"

    def renew(self, phase: str) -> None:
        leases.renew(self.bench.engine, self.lease, phase)

    def give_up(self, why: str) -> None:
        leases.give_up(self.bench.engine, self.lease, self.bench.settings, why)

    def fail(self, cause: str, message: str) -> None:
        leases.fail(self.bench.engine, self.lease, cause, message)

    def report(self, outcome: Outcome) -> None:
        """One line in the log."""
        log.info(
            "analysis",
            outcome=outcome,
            experiment=self.lease.experiment_id,
            analysis=self.lease.id,
            kind=self.lease.document.get("kind"),
            epoch=self.lease.epoch,
            worker=self.bench.me.id,
            device=self.lease.device,
            seconds=round(time.monotonic() - self.began, 3),
            **({} if self.message is None else {"message": self.message}),
        )
