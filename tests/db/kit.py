"""A bench for the tests of the control plane: real Postgres, workers without torch, blocks made by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from batchlab.cell import Cell
from batchlab.engines.base import Block, CellBlock, Ending
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec
from batchlab_db import claims, experiments, workers
from batchlab_db.elsewhere import Elsewhere
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab_db.workers import WorkerInfo
from sqlalchemy import text

LIMITS = WorkLimits(max_cells=10_000, max_updates=10**9)
STEPS = 6


def document(**changes: Any) -> dict[str, Any]:
    """A small spec: one cell of six updates, unless changed."""
    small = {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [4],
        "lr": {"rule": "fixed", "base": 0.5},
        "budget": {"steps": STEPS},
    }
    return small | changes


class Engines:
    """What a worker says of its engines: cohorts of up to `size` cells."""

    def __init__(self, size: int = 1, **fingerprint: Any) -> None:
        self.size, self.extra = size, fingerprint

    def choose(self, cells: Sequence[Cell], device: str) -> tuple[str, int]:
        return "reference", min(self.size, len(cells))

    def fingerprint(self, engine: str, device: str) -> Mapping[str, Any]:
        return {"engine": engine, "device": device, **self.extra}


class Bench:
    """A database, and short words for what the tests do to it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = make_engine(settings, role="worker")
        self.engines = Engines()

    def submit(self, **changes: Any) -> str:
        spec = parse_spec(document(**changes))
        return experiments.submit(self.engine, spec, plan(spec, LIMITS)).id

    def worker(self, machine: str = "here", **more: Any) -> WorkerInfo:
        me = WorkerInfo(machine=machine, pid=1, **more)
        workers.register(self.engine, me)
        return me

    def claim(self, me: WorkerInfo, engines: Engines | None = None) -> claims.Lease | None:
        return claims.claim(self.engine, me, self.settings, engines or self.engines)

    def hold(self, me: WorkerInfo | None = None) -> claims.Lease:
        """A claim that must succeed."""
        lease = self.claim(me or self.worker())
        assert lease is not None
        return lease

    def record(self, lease: claims.Lease, block: Block, checkpoint: bytes | None = b"state") -> None:
        claims.record(self.engine, lease, block, checkpoint, place=Elsewhere.of(self.settings))

    def finish(self, lease: claims.Lease) -> None:
        """Train the lease's cells to their end in one block."""
        cells = [cell for cell in lease.cells if not cell.ended]
        self.record(lease, block(*(stretch(cell.steps_done, STEPS, "succeeded") for cell in cells), lease=lease))

    def sql(self, query: str, **values: Any) -> list[Any]:
        """The rows of a query or a change, committed."""
        with self.engine.begin() as connection:
            result = connection.execute(text(query), values)
            return list(result.mappings()) if result.returns_rows else []

    def one(self, query: str, **values: Any) -> Any:
        """The single value of a query."""
        [row] = self.sql(query, **values)
        [value] = row.values()
        return value

    def cells(self, experiment: str) -> list[Any]:
        return self.sql("SELECT * FROM cells WHERE experiment_id = :id ORDER BY ordinal", id=experiment)

    def experiment(self, experiment: str) -> Any:
        [row] = self.sql("SELECT * FROM experiments WHERE id = :id", id=experiment)
        return row

    def cohort(self, lease: claims.Lease) -> Any:
        [row] = self.sql("SELECT * FROM cohorts WHERE id = :id", id=lease.cohort_id)
        return row

    def expire(self, lease: claims.Lease) -> None:
        """Have the lease end now."""
        past = "lease_until = clock_timestamp() - interval '1 s'"
        self.sql(f"UPDATE cohorts SET {past} WHERE id = :id AND status = 'running'", id=lease.cohort_id)

    def stored_steps(self, cell: int) -> list[int]:
        """The steps of the cell's stored losses, in order."""
        rows = self.sql(
            "SELECT first, n FROM series_blocks WHERE cell_id = :cell AND metric = 'loss' ORDER BY first", cell=cell
        )
        return [step for row in rows for step in range(row["first"], row["first"] + row["n"])]


def stretch(done: int, n: int, end: str | None = None) -> CellBlock:
    """The next updates after `done`, up to `n` in all; the losses say which step they are of."""
    steps = np.arange(done + 1, n + 1)
    evaluated = np.array([0] if done == 0 else [], dtype=np.int64)
    return CellBlock(
        first=done + 1,
        updates={"loss": steps.astype(np.float32)} if len(steps) else {},
        evaluated_at=evaluated,
        evaluations={"val_loss": np.ones(len(evaluated), dtype=np.float32)} if len(evaluated) else {},
        steps_done=n,
        ending=None if end is None else Ending(end, {"val_loss": 0.25 if end == "succeeded" else None}),
    )


def block(*cells: CellBlock, lease: claims.Lease | None = None) -> Block:
    """A block of the lease's cells that have not ended (default: of positions from 0)."""
    positions = range(len(cells)) if lease is None else sorted(lease.open)
    return Block(dict(zip(positions, cells, strict=True)))
