"""What is shown of analyses, and what a worker needs to do one."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from batchlab import state
from batchlab.engines.base import State, Weights
from sqlalchemy import Connection, Engine, RowMapping, text

from batchlab_db import kept, locks
from batchlab_db.analyses import losing, parts
from batchlab_db.engine import transact
from batchlab_db.errors import NotAllowed, NotFound
from batchlab_db.reads import storable
from batchlab_db.touching import touch

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")

_COLUMNS = """
    id, experiment_id, kind, document, subjects, status, cause, message, fraction, found, meta, device, created_at,
    started_at, finished_at
"""
_LIST = text(f"SELECT {_COLUMNS} FROM analyses WHERE experiment_id = :experiment ORDER BY created_at, id")
_ONE = text(
    f"""
    SELECT {_COLUMNS} FROM analyses a WHERE experiment_id = :experiment AND id = :id
        AND EXISTS (SELECT FROM experiments e WHERE e.id = a.experiment_id AND e.deleted_at IS NULL)
    """
)
_FOUND = text(
    """
    SELECT kind, subjects, found FROM analyses
    WHERE experiment_id = :experiment AND status = 'succeeded' ORDER BY finished_at, id
    """
)
_CELLS = text("SELECT id, point, result FROM cells WHERE id = ANY(:cells)")


def listing(connection: Connection, experiment_id: str) -> Sequence[RowMapping]:
    """The analyses of an experiment, the first asked for first. Raises NotFound."""
    kept.must_exist(connection, experiment_id)
    return connection.execute(_LIST, {"experiment": storable(experiment_id)}).mappings().all()


def one(connection: Connection, experiment_id: str, analysis: str) -> RowMapping:
    """One analysis. Raises NotFound."""
    asked = {"experiment": storable(experiment_id), "id": storable(analysis)}
    row = connection.execute(_ONE, asked).mappings().one_or_none()
    if row is None:
        raise NotFound(f"experiment {experiment_id} has no analysis {analysis}")
    return row


def arrays(connection: Connection, experiment_id: str, analysis: str) -> Mapping[str, Any]:
    """What an analysis has found, array by array. Raises NotFound, also while it has not succeeded."""
    if one(connection, experiment_id, analysis)["status"] != "succeeded":
        raise NotFound(f"analysis {analysis} has not succeeded: there are no arrays yet")
    return state.weights_from_bytes(parts.load(connection, analysis, "arrays"))


def by_cell(connection: Connection, experiment_id: str) -> dict[int, dict[str, dict[str, Any]]]:
    """Cell -> kind -> values: of the latest analyses, whoever asked for them. Those of several cells are the first's.

    What claims are judged by is in `counted`.
    """
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for row in connection.execute(_FOUND, {"experiment": storable(experiment_id)}).mappings():
        cell = found.setdefault(row["subjects"][0]["cell"], {})
        cell[row["kind"]] = {**cell.get(row["kind"], {}), **row["found"]}
    return found


def cancel(engine: Engine, experiment_id: str, analysis: str) -> None:
    """End it now, whoever works on it. Raises NotFound and NotAllowed (it has ended otherwise)."""

    def work(connection: Connection) -> None:
        locks.experiment(connection, experiment_id)
        status = one(connection, experiment_id, analysis)["status"]
        if not losing.cancel(connection, experiment_id, analysis) and status != "cancelled":
            raise NotAllowed(f"the analysis has {status}: there is nothing to cancel")
        touch(connection, experiment_id)

    transact(engine, work)


def saved(connection: Connection, analysis: str, sha256: str | None) -> State | None:
    """The state from which it goes on; None where there is none, or where its bytes are not those that were written."""
    data = b"" if sha256 is None else parts.load(connection, analysis, "state")
    return state.from_bytes(data) if sha256 is not None and hashlib.sha256(data).hexdigest() == sha256 else None


def cells(connection: Connection, subjects: Sequence[Mapping[str, Any]]) -> list[RowMapping]:
    """`id, point, result` of the cells that are looked at, in their order."""
    rows = connection.execute(_CELLS, {"cells": [one["cell"] for one in subjects]}).mappings().all()
    found = {row["id"]: row for row in rows}
    return [found[one["cell"]] for one in subjects if one["cell"] in found]


def weights(connection: Connection, subject: Mapping[str, Any]) -> dict[int, Weights]:
    """The weights of a cell that are looked at, by step. DataError: they were deleted or are damaged."""
    chosen = zip(subject["steps"], subject["sha256s"], strict=True)
    return {step: state.weights_from_bytes(kept.load(connection, sha256)) for step, sha256 in chosen}
