"""Storing an experiment and its cells, once for each idempotency key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from batchlab import metrics
from batchlab.cell import Cell
from batchlab.experiment import ExperimentSpec
from batchlab.plan import Plan
from sqlalchemy import Connection, Engine, text
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert

from batchlab_db import data, workers
from batchlab_db.engine import transact
from batchlab_db.errors import KeyReused
from batchlab_db.ids import new_id
from batchlab_db.tables import Cell as CellRow
from batchlab_db.tables import Experiment, IdempotencyKey


@dataclass(frozen=True)
class Submitted:
    """The experiment of a post; `created` is False where its key had made it before."""

    id: str
    created: bool


def submit(
    engine: Engine, spec: ExperimentSpec, plan: Plan, *, key: str | None = None, body_sha256: str | None = None
) -> Submitted:
    """Store an experiment with its cells; the caller wakes the workers after it.

    A `key` that came before returns what it made then, or raises KeyReused where `body_sha256` differs.
    """
    row = experiment_row(new_id(), spec, plan)
    given = None if key is None else {"key": key, "body_sha256": body_sha256 or "", "experiment_id": row["id"]}
    return transact(engine, lambda connection: _submit(connection, row, plan.cells, given))


def _submit(
    connection: Connection, row: dict[str, Any], cells: Sequence[Cell], given: dict[str, str] | None
) -> Submitted:
    experiment_id = row["id"] if given is None else _take_key(connection, given)
    if experiment_id != row["id"]:
        return Submitted(experiment_id, created=False)
    # Nothing is inserted where it is there already: a COMMIT that got no answer is run again.
    stored = insert(Experiment).values(row).on_conflict_do_nothing().returning(Experiment.id)
    if connection.execute(stored).first() is not None:
        data.hold(connection, data.used_by(cells))
        insert_cells(connection, experiment_id, cells)
    return Submitted(experiment_id, created=True)


def _take_key(connection: Connection, given: dict[str, str]) -> str:
    """Take the key; returns the experiment that has it, after waiting for a transaction that is just taking it."""
    taken = insert(IdempotencyKey).values(given).on_conflict_do_nothing().returning(IdempotencyKey.key)
    if connection.execute(taken).first() is not None:
        return given["experiment_id"]
    known = text("SELECT body_sha256, experiment_id FROM idempotency_keys WHERE key = :key")
    found = connection.execute(known, given).one()
    if found.body_sha256 != given["body_sha256"]:
        raise KeyReused
    return str(found.experiment_id)


def experiment_row(experiment_id: str, spec: ExperimentSpec, plan: Plan) -> dict[str, Any]:
    """The columns of an experiment's row."""
    return {
        "id": experiment_id,
        "name": spec.name,
        "note": spec.note,
        "tags": list(spec.tags),
        "study": spec.study,
        "spec": spec.model_dump(mode="json"),
        "metrics": units_of(plan.cells),
        "priority": spec.priority,
        "cells_total": len(plan.cells),
        "updates_total": plan.updates,
    }


def insert_cells(connection: Connection, experiment_id: str, cells: Sequence[Cell]) -> None:
    """Store the cells of an experiment as queued."""
    work = workers.last_workplace(connection).work(cells)
    rows = [{"experiment_id": experiment_id, **cell_row(cell, done)} for cell, done in zip(cells, work, strict=True)]
    if rows:
        connection.execute(plain_insert(CellRow), rows)


def cell_row(cell: Cell, work: float) -> dict[str, Any]:
    """The columns that a cell's point gives; `work` is that of an update."""
    return {
        "ordinal": cell.ordinal,
        **cell.describe(),
        "point": cell.model_dump(mode="json"),
        "stack_key": cell.stack_key,
        "queue": cell.queue,
        "isolated": cell.isolated,
        "steps_total": cell.steps,
        "work": work,
    }


def units_of(cells: Sequence[Cell]) -> dict[str, str]:
    """Every metric that the cells may store, and its unit."""
    kinds = {(cell.model, cell.dataset, cell.probes, cell.momentum is None): cell for cell in cells}
    return {name: metrics.unit(name, cell.loss) for cell in kinds.values() for name in _metrics_of(cell)}


def _metrics_of(cell: Cell) -> Iterator[str]:
    info = cell.info
    shapes = cell.model.parameters(info.shape, info.outputs)
    yield from (name for name in metrics.PER_UPDATE if name != "momentum" or cell.momentum is not None)
    yield from (metric for probe in cell.probes for metric in (*probe.metrics(shapes), *probe.evaluated))
    yield from (name for name in metrics.EVALUATED if info.classes is not None or "accuracy" not in name)
