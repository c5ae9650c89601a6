"""A lease on a cohort, and the fence through which every write under it goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batchlab.engines.base import Block
from sqlalchemy import Connection, Engine, text

from batchlab_db.engine import transact
from batchlab_db.errors import Fenced

TIE_SECONDS = 1.0
"""How long a broken tie or a dead connection of the pool is tried again within one write."""

_RENEW = text(
    """
    UPDATE cohorts SET lease_until = clock_timestamp() + make_interval(secs => :seconds), phase = :phase,
        progressed = progressed OR :progress, losses = CASE WHEN :progress THEN 0 ELSE losses END
    WHERE id = :cohort AND epoch = :epoch AND status = 'running'
    """
)
_ENDED_AS = text("SELECT outcome FROM slices WHERE id = :slice")


@dataclass(frozen=True)
class LeasedCell:
    """A member of a cohort. `steps_done` updates are stored; one that has ended stays in its place, frozen."""

    id: int
    position: int
    point: Mapping[str, Any]
    steps_done: int
    status: str
    work: float
    """Of an update."""

    @property
    def ended(self) -> bool:
        return self.status != "running"


@dataclass
class Lease:
    """The right to write for a cohort, which lasts `seconds` from each renewal, by the database's clock.

    The holder counts by its own monotonic clock from before it asked, and stops a margin early.
    """

    cohort_id: int
    epoch: int
    experiment_id: str
    slice_id: int
    engine: str
    device: str
    seconds: float
    cells: tuple[LeasedCell, ...] = ()
    checkpoint: bytes | None = None
    """Where training goes on; None: from the beginning."""
    open: set[int] = field(default_factory=set)
    """Positions that have not ended."""
    blocks: int = 0
    """Recorded under this lease."""
    finished: bool = False
    """Every cell has ended: the cohort is closed, and there is nothing to hand on."""

    def work(self, block: Block) -> float:
        """Seconds, as `batchlab.cost` guesses them, of a block of these cells."""
        return sum(cell.work * block.cells[cell.position].n for cell in self.cells if cell.position in block.cells)

    def __str__(self) -> str:
        return f"cohort {self.cohort_id} under epoch {self.epoch}"


def fenced(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Run `work`, which begins with `enter`, in one transaction; an outage is the caller's to wait out."""
    transact(engine, work, patience=TIE_SECONDS)


def enter(connection: Connection, lease: Lease, phase: str, *, progress: bool = False, ending: str = "") -> bool:
    """Renew the lease: the first statement of every write; the cohort's row stays locked to the end.

    Raises Fenced where the row is no longer ours. False: this write is one that ends the slice as `ending`, and it
    was committed before, though its answer was lost.
    """
    asked = {"cohort": lease.cohort_id, "epoch": lease.epoch, "seconds": lease.seconds}
    if connection.execute(_RENEW, {**asked, "phase": phase, "progress": progress}).rowcount:
        return True
    if ending and connection.scalar(_ENDED_AS, {"slice": lease.slice_id}) == ending:
        return False
    raise Fenced(f"cohort {lease.cohort_id} is no longer held under epoch {lease.epoch}")


def renew(engine: Engine, lease: Lease, phase: str) -> None:
    """Keep the lease, saying what the holder is doing (at most every few seconds). Raises Fenced."""

    def work(connection: Connection) -> None:
        enter(connection, lease, phase)

    fenced(engine, work)
