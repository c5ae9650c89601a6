"""A slice's transactions: claim a cohort, record blocks, renew, and hand on, give up or fail.

A claim raises the cohort's `epoch` and sets a lease by the database's clock. Every later write first renews that lease
under that epoch; where the row does not match, nothing is written and `Fenced` is raised. A write whose COMMIT got no
answer may be run again: it finds its own effect and does nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from batchlab.engines.base import Block, CellBlock
from sqlalchemy import Connection, Engine, text

from batchlab_db import checkpoints, choosing, folding, kept, outcomes, series
from batchlab_db.elsewhere import Elsewhere
from batchlab_db.engine import transact
from batchlab_db.errors import Fenced
from batchlab_db.forming import Engines
from batchlab_db.halving import halve
from batchlab_db.leases import Lease, LeasedCell, enter, fenced, renew
from batchlab_db.rescue import give_back, lose
from batchlab_db.restoring import restore
from batchlab_db.settings import Settings
from batchlab_db.taking import take
from batchlab_db.workers import WorkerInfo

__all__ = [
    "Engines",
    "Fenced",
    "Lease",
    "LeasedCell",
    "claim",
    "fail",
    "give_up",
    "hand_on",
    "more_work",
    "record",
    "renew",
]

MOST_TRIES = 16

_COUNT_BLOCK = text(
    """
    UPDATE slices SET blocks = blocks + 1, updates = updates + :updates, work = work + :work
    WHERE id = :slice AND blocks = :before
    """
)
_STEPS = text("UPDATE cells SET steps_done = :steps WHERE id = :cell")
_END = text(
    """
    UPDATE cells SET steps_done = :steps, status = :status, result = CAST(:result AS jsonb),
        finished_at = clock_timestamp()
    WHERE id = :cell
    """
)
_HAND_ON = text(
    """
    UPDATE cohorts SET status = 'ready', ready_since = clock_timestamp(), lease_until = NULL, worker_id = NULL
    WHERE id = :cohort
    """
)
_HELD = text("SELECT id, experiment_id, losses, progressed, machine FROM cohorts WHERE id = :cohort")


def claim(engine: Engine, me: WorkerInfo, settings: Settings, engines: Engines) -> Lease | None:
    """The next slice for this worker, or None: nothing to do, or an isolated slice has this machine.

    Raises Fenced where the cohort was taken away again before its state was read: claim once more.
    """
    for _ in range(MOST_TRIES):
        taken = transact(engine, lambda connection: take(connection, me, settings, engines))
        if taken == "leftover":
            transact(engine, lambda connection: give_back(connection, me.id))
        elif taken is None:
            return None
        elif isinstance(taken, Lease):
            return _restored(engine, taken, engines)
    return None


def more_work(engine: Engine, me: WorkerInfo, settings: Settings) -> bool:
    """Whether there is something that this worker could claim next, as far as one look can tell."""
    asked = choosing.parameters(me, settings)
    return transact(engine, lambda connection: choosing.next_experiment(connection, asked)) is not None


def _restored(engine: Engine, lease: Lease, engines: Engines) -> Lease:
    fingerprint = engines.fingerprint(lease.engine, lease.device)
    fenced(engine, lambda connection: restore(connection, lease, fingerprint))
    return lease


def record(
    engine: Engine,
    lease: Lease,
    block: Block,
    checkpoint: bytes | None = None,
    phase: str = "train",
    *,
    place: Elsewhere | None = None,
) -> None:
    """Store a block: series, steps, endings, and the state after it where `checkpoint` is given. Raises Fenced.

    The block that ends the last cell closes the cohort (`lease.finished`): there is nothing to hand on then. `place`:
    where large kept weights are put, before the transaction that refers to them.
    """
    ends = {position for position, cell in block.cells.items() if cell.ending is not None}
    last = lease.open <= ends
    ids = {cell.position: cell.id for cell in lease.cells}
    rows = list(_rows(ids, block))
    weights = kept.serialised(rows)
    if place is not None:
        weights = place.place(weights)
    done = {"updates": block.n, "work": lease.work(block)}

    def work(connection: Connection) -> None:
        progress = checkpoint is not None or bool(ends)
        if not enter(connection, lease, phase, progress=progress, ending="finished" if last else ""):
            return
        count = {"slice": lease.slice_id, "before": lease.blocks, **done}
        if not connection.execute(_COUNT_BLOCK, count).rowcount:
            return  # stored by a commit whose answer was lost
        _store(connection, rows)
        kept.save(connection, weights)
        if checkpoint is not None:
            checkpoints.save(connection, lease.cohort_id, lease.epoch, checkpoint)
        if last:
            outcomes.finish_cohort(connection, lease.cohort_id, "finished")
        if ends:
            outcomes.settle(connection, lease.experiment_id, [ids[position] for position in sorted(ends)])
        else:
            outcomes.touch(connection, lease.experiment_id)

    fenced(engine, work)
    lease.blocks += 1
    lease.open -= ends
    lease.finished = last


def _store(connection: Connection, rows: Sequence[tuple[int, CellBlock]]) -> None:
    series.write(connection, rows)
    for cell_id, cell in rows:
        known = {"cell": cell_id, "steps": cell.steps_done}
        if cell.ending is None:
            connection.execute(_STEPS, known)
        else:
            result = json.dumps(dict(cell.ending.result), allow_nan=False)
            connection.execute(_END, {**known, "status": cell.ending.status, "result": result})


def _rows(ids: Mapping[int, int], block: Block) -> Iterator[tuple[int, CellBlock]]:
    """Each cell's id and stretch, by id: the order of locks."""
    yield from sorted(((ids[position], cell) for position, cell in block.cells.items()), key=lambda row: row[0])


def hand_on(engine: Engine, lease: Lease, checkpoint: bytes | None = None, outcome: str = "handed_on") -> None:
    """Let go of the cohort, for whoever comes next. `checkpoint`: the state after the last recorded block.

    `outcome`: `handed_on` (the slice's time is up) or `stopped` (the worker was asked to end). Raises Fenced.
    """

    def work(connection: Connection) -> None:
        if not enter(connection, lease, "hand on", progress=checkpoint is not None, ending=outcome):
            return
        if checkpoint is not None:
            checkpoints.save(connection, lease.cohort_id, lease.epoch, checkpoint)
        folding.fold(connection, lease.cohort_id)
        connection.execute(_HAND_ON, {"cohort": lease.cohort_id})
        outcomes.end_slice(connection, lease.cohort_id, outcome)
        outcomes.touch(connection, lease.experiment_id)

    if not lease.finished:
        fenced(engine, work)


def give_up(engine: Engine, lease: Lease, settings: Settings, why: str) -> None:
    """Let go as lost: this worker (its device, its memory) is not fit to go on. It counts as a loss. Raises Fenced."""

    def work(connection: Connection) -> None:
        if enter(connection, lease, "give up", ending="lost"):
            held = connection.execute(_HELD, {"cohort": lease.cohort_id}).mappings().one()
            lose(connection, held, settings.max_losses, f"on {held['machine']}: {why}")

    fenced(engine, work)


def fail(engine: Engine, lease: Lease, cause: str, message: str) -> None:
    """End what still runs of the cohort as failed. `cause`: out_of_memory, timeout, code_error, bad_data, disk_full.

    Cells for which memory gave out together are queued again in halves, if they can be. Raises Fenced.
    """

    def work(connection: Connection) -> None:
        if not enter(connection, lease, "fail", ending="failed"):
            return
        if cause == "out_of_memory" and halve(connection, lease.cohort_id, lease.experiment_id, "failed"):
            return
        outcomes.fail_cohort(connection, lease.cohort_id, lease.experiment_id, cause, message)

    fenced(engine, work)
