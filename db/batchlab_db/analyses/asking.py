"""Asking for analyses: by the spec as cells end, or by a user. What was asked for before is not computed again."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchlab.analyses import Analysis
from batchlab.analyses.groups import COUNT, groups
from batchlab.cell import Cell
from batchlab.errors import DataError
from batchlab.keeping import Last, Trajectory
from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, RowMapping, text

from batchlab_db import kept
from batchlab_db.cells import numbers
from batchlab_db.engine import transact
from batchlab_db.errors import NotAllowed, NotFound
from batchlab_db.ids import new_id
from batchlab_db.touching import touch

ANALYSES: TypeAdapter[Any] = TypeAdapter(Analysis)
"""Reads an analysis's document."""

_SPEC = text("SELECT spec -> 'analyses' AS asked, outcome FROM experiments WHERE id = :id")
_CELLS = text(
    """
    SELECT c.id, c.ordinal, c.status, c.point, c.queue,
        coalesce(jsonb_agg(jsonb_build_object('step', k.step, 'sha256', k.sha256, 'labels', k.labels) ORDER BY k.step)
                 FILTER (WHERE k.cell_id IS NOT NULL), '[]') AS kept
    FROM cells c LEFT JOIN kept k ON k.cell_id = c.id
    WHERE c.experiment_id = :experiment AND (CAST(:cells AS bigint[]) IS NULL OR c.id = ANY(:cells))
    GROUP BY c.id ORDER BY c.ordinal
    """
)
_INSERT = text(
    """
    INSERT INTO analyses (id, experiment_id, key, kind, document, subjects, queue)
    VALUES (:id, :experiment, :key, :kind, CAST(:document AS jsonb), CAST(:subjects AS jsonb), :queue)
    ON CONFLICT (experiment_id, key) DO NOTHING
    """
)
_REFUSE = text(
    """
    INSERT INTO analyses (id, experiment_id, key, kind, document, subjects, queue, status, cause, message, finished_at)
    VALUES (:id, :experiment, :key, :kind, CAST(:document AS jsonb), CAST(:subjects AS jsonb), :queue,
        'failed', 'bad_data', :message, clock_timestamp())
    ON CONFLICT (experiment_id, key) DO NOTHING
    """
)
_AGAIN = text(
    """
    UPDATE analyses SET status = 'queued', cause = NULL, message = NULL, losses = 0, not_before = NULL,
        fraction = 0, state_sha256 = NULL, finished_at = NULL
    WHERE experiment_id = :experiment AND key = :key AND status IN ('failed', 'cancelled')
    """
)
_BY_KEY = text("SELECT id FROM analyses WHERE experiment_id = :experiment AND key = :key")


@dataclass(frozen=True)
class Wanted:
    """An analysis and the cells that it is of. `checkpoint`: a label, or a number of updates."""

    analysis: Any
    cells: Sequence[RowMapping]
    checkpoint: str | int = Last.tag()


def of_spec(connection: Connection, experiment_id: str, ended: Sequence[int]) -> None:
    """Queue what the spec asks for, now that the cells `ended`. Part of the transaction in which they do.

    What cannot be done is told by an analysis that has failed: it must not undo the end of a training.
    """
    row = connection.execute(_SPEC, {"id": experiment_id}).one()
    analyses = [ANALYSES.validate_json(json.dumps(one)) for one in row.asked or ()]
    single = [one for one in analyses if one.inputs == "one"]
    several = [one for one in analyses if one.inputs != "one"] if row.outcome else []
    for some, cells in ((single, list(ended)), (several, None)):
        if some:
            good = _succeeded(_cells(connection, experiment_id, cells))
            for wanted in _wanted(some, good, Last.tag()):
                try:
                    _queue(connection, experiment_id, wanted)
                except (NotAllowed, DataError) as error:
                    _refuse(connection, experiment_id, wanted, str(error))


def _cells(connection: Connection, experiment_id: str, cells: Sequence[int] | None) -> Sequence[RowMapping]:
    return connection.execute(_CELLS, {"experiment": experiment_id, "cells": cells}).mappings().all()


def _succeeded(rows: Sequence[RowMapping]) -> list[RowMapping]:
    return [row for row in rows if row["status"] == "succeeded"]


def _wanted(analyses: Sequence[Any], rows: Sequence[RowMapping], checkpoint: str | int) -> Iterator[Wanted]:
    cells = [parse(row["point"]) for row in rows]
    for analysis in analyses:
        for group in groups(analysis.inputs, cells):
            yield Wanted(analysis, [rows[place] for place in group], checkpoint)


def parse(point: Mapping[str, Any]) -> Cell:
    """The resolved cell of a row's `point`."""
    return Cell.model_validate_json(json.dumps(point))


def request(
    engine: Engine, experiment_id: str, analysis: Any, cells: Sequence[str] | None, checkpoint: str | int
) -> list[str]:
    """Queue an analysis of these cells (None: of all that succeeded); returns the ids, one for each group of cells.

    Where it takes two or three cells and so many are named, they are its own, in that order. What failed or was
    cancelled is queued again. Raises NotFound, NotAllowed (a cell is not trained, or has no such weights), SpecError
    (it makes no sense).
    """

    def work(connection: Connection) -> list[str]:
        touch(connection, experiment_id)  # the row first: whoever asks takes turns
        wanted = _of_user(connection, experiment_id, analysis, cells, checkpoint)
        for one in wanted:
            one.analysis.check([parse(row["point"]) for row in one.cells])
        return [_queue(connection, experiment_id, one, again=True) for one in wanted]

    return transact(engine, work)


def _of_user(
    connection: Connection, experiment_id: str, analysis: Any, cells: Sequence[str] | None, checkpoint: str | int
) -> list[Wanted]:
    kept.must_exist(connection, experiment_id)
    rows = _cells(connection, experiment_id, None if cells is None else numbers(cells))
    if cells is None:
        rows = _succeeded(rows)
    else:
        by_id = {str(row["id"]): row for row in rows}
        rows = [_trained(by_id, cell) for cell in dict.fromkeys(cells)]
    named = cells is not None and len(rows) == COUNT.get(analysis.inputs)
    found = [Wanted(analysis, rows, checkpoint)] if named else list(_wanted([analysis], rows, checkpoint))
    if not found:
        few = f"{analysis.inputs} cells that succeeded" if analysis.inputs in COUNT else "a cell that succeeded"
        raise NotAllowed(f"{analysis.tag()} needs {few}: there is none yet")
    return found


def _trained(by_id: Mapping[str, RowMapping], cell: str) -> RowMapping:
    if cell not in by_id:
        raise NotFound(f"there is no cell {cell} in this experiment")
    if by_id[cell]["status"] != "succeeded":
        raise NotAllowed(f"cell {cell} is {by_id[cell]['status']}: only cells that succeeded are analysed")
    return by_id[cell]


def _queue(connection: Connection, experiment_id: str, wanted: Wanted, *, again: bool = False) -> str:
    subjects = [_subject(row, _chosen(connection, wanted, row)) for row in wanted.cells]
    row = _row(experiment_id, wanted, subjects)
    connection.execute(_INSERT, row)
    if again:
        connection.execute(_AGAIN, row)
    return str(connection.execute(_BY_KEY, row).scalar_one())


def _refuse(connection: Connection, experiment_id: str, wanted: Wanted, message: str) -> None:
    """Put it down as failed, before any weights were chosen."""
    row = _row(experiment_id, wanted, [_subject(row, ()) for row in wanted.cells])
    connection.execute(_REFUSE, row | {"message": message[:4000]})


def _row(experiment_id: str, wanted: Wanted, subjects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    document = wanted.analysis.model_dump(mode="json")
    queues = {row["queue"] for row in wanted.cells} - {"any"}
    return {
        "id": new_id(),
        "experiment": experiment_id,
        "key": _key(document, subjects),
        "kind": wanted.analysis.tag(),
        "document": json.dumps(document),
        "subjects": json.dumps(subjects),
        "queue": min(queues, default="any"),
    }


def _key(document: Any, subjects: Any) -> str:
    return hashlib.sha256(json.dumps([document, subjects], sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _subject(row: RowMapping, chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The cell with the weights that are looked at."""
    steps, shas = [one["step"] for one in chosen], [one["sha256"] for one in chosen]
    return {"cell": row["id"], "steps": steps, "sha256s": shas}


def _chosen(connection: Connection, wanted: Wanted, row: RowMapping) -> Sequence[Mapping[str, Any]]:
    stored, needs = row["kept"], wanted.analysis.needs
    if needs == "results":
        return ()
    label = Trajectory.tag() if needs == "trajectory" else wanted.checkpoint
    found = [one for one in stored if label in one["labels"] or label == one["step"]]
    if not found and label == Last.tag():
        found = [kept.promote(connection, row["id"])]
    if not found:
        what = f"after {label} updates" if isinstance(label, int) else f"with the label {label}"
        raise NotAllowed(f"no weights {what} are kept of cell {row['id']}: ask for them in `checkpoints`")
    return found
