"""Data sets that users add: kept in parts by their SHA-256, known by names, brought to a worker's data folder.

A name is stored with all of its data in one transaction, or not at all. Data that stored experiments use stay: they
are locked against their deletion while an experiment is stored, so that one of the two comes first.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from batchlab.cell import Cell
from batchlab.datasets import User, store
from batchlab.datasets.user import Facts
from batchlab.errors import DataError, SpecError
from sqlalchemy import Connection, Engine, RowMapping, text

from batchlab_db.engine import transact
from batchlab_db.errors import InUse, NameTaken, NotFound
from batchlab_db.reads import storable

PART_BYTES = 1 << 20
PATIENCE = 60.0

_FILE = text(
    """
    INSERT INTO data_files (sha256, bytes, rows, test_rows, shape, classes)
    VALUES (:sha256, :bytes, :rows, :test_rows, :shape, :classes) ON CONFLICT DO NOTHING RETURNING sha256
    """
)
_PART = text("INSERT INTO data_parts (sha256, part, data) VALUES (:sha256, :part, :data)")
_NAME = text(
    """
    INSERT INTO data_names (name, sha256, request) VALUES (:name, :sha256, :request)
    ON CONFLICT (name) DO NOTHING RETURNING name
    """
)
_KNOWN = "SELECT n.name, n.created_at, f.* FROM data_names n JOIN data_files f USING (sha256)"
_ALL = text(f"{_KNOWN} ORDER BY n.name")
_ONE = text(f"{_KNOWN} WHERE n.name = :name AND (CAST(:sha256 AS text) IS NULL OR f.sha256 = :sha256)")
_HOLD = text("SELECT sha256 FROM data_files WHERE sha256 = ANY(:wanted) FOR KEY SHARE")
_LOCK = text("SELECT f.sha256 FROM data_names n JOIN data_files f USING (sha256) WHERE n.name = :name FOR UPDATE")
_USED = text(
    """
    SELECT id FROM experiments WHERE deleted_at IS NULL
        AND spec @? CAST(:path AS jsonpath) LIMIT 1
    """
)
_FORGET = text("DELETE FROM data_names WHERE name = :name")
_REMOVE = text(
    "DELETE FROM data_files WHERE sha256 = :sha256 AND NOT EXISTS (SELECT FROM data_names WHERE sha256 = :sha256)"
)
_BYTES = text("SELECT data FROM data_parts WHERE sha256 = :sha256 ORDER BY part")


def add(engine: Engine, name: str, data: bytes, facts: Facts, *, request: str) -> None:
    """Keep a data set under this name, all of it or nothing; NameTaken where another `request` has given the name."""
    transact(engine, lambda connection: _add(connection, name, data, facts, request), patience=PATIENCE)


def _add(connection: Connection, name: str, data: bytes, facts: Facts, request: str) -> None:
    stated = {**facts.model_dump(), "shape": list(facts.shape), "bytes": len(data)}
    there = connection.execute(_HOLD, {"wanted": [facts.sha256]}).first() is not None
    if not there and connection.execute(_FILE, stated).first() is not None:
        for part in _parts(facts.sha256, data):
            connection.execute(_PART, part)
    given = {"name": name, "sha256": facts.sha256, "request": request}
    if connection.execute(_NAME, given).first() is not None:
        return
    before = connection.scalar(text("SELECT request FROM data_names WHERE name = :name"), {"name": name})
    if before != request:
        raise NameTaken(f"there is a data set {name} already: choose another name")


def _parts(sha256: str, data: bytes) -> Iterator[dict[str, object]]:
    for part, start in enumerate(range(0, len(data), PART_BYTES)):
        yield {"sha256": sha256, "part": part, "data": data[start : start + PART_BYTES]}


def everything(connection: Connection) -> Sequence[RowMapping]:
    """Every data set that was added, by name: `name`, `created_at`, `bytes` and the fields of its facts."""
    return connection.execute(_ALL).mappings().all()


def find(connection: Connection, name: str, sha256: str | None = None) -> RowMapping | None:
    """The data set of this name (and content, where that is given), as in `everything`; None where there is none."""
    asked = {"name": storable(name), "sha256": None if sha256 is None else storable(sha256)}
    return connection.execute(_ONE, asked).mappings().one_or_none()


def facts(connection: Connection, name: str, sha256: str | None = None) -> Facts | None:
    """The facts that a spec's `{"kind": "user", "name": name}` stands for."""
    row = find(connection, name, sha256)
    return (
        None
        if row is None
        else Facts(**{field: row[field] for field in Facts.model_fields} | {"shape": (*row["shape"],)})
    )


def used_by(cells: Iterable[Cell]) -> set[str]:
    """The SHA-256 of all user data that these cells are trained on."""
    found = {cell.dataset.sha256 for cell in cells if isinstance(cell.dataset, User)}
    return {sha256 for sha256 in found if sha256 is not None}


def hold(connection: Connection, wanted: set[str]) -> None:
    """Keep these data from being deleted before this transaction ends; SpecError where some are gone."""
    if wanted and len(connection.execute(_HOLD, {"wanted": sorted(wanted)}).all()) < len(wanted):
        raise SpecError.at(("dataset", "name"), "this data set has just been deleted: add it again")


def delete(engine: Engine, name: str) -> None:
    """Delete a data set. NotFound; InUse while a stored experiment uses it."""
    transact(engine, lambda connection: _delete(connection, storable(name)))


def _delete(connection: Connection, name: str) -> None:
    sha256 = connection.scalar(_LOCK, {"name": name})
    if sha256 is None:
        raise NotFound(f"there is no data set {name}: GET /datasets lists them")
    used = connection.scalar(_USED, {"path": f'$.**.sha256 ? (@ == "{sha256}")'})
    if used is not None:
        raise InUse(f"the experiment {used} uses {name}: delete it first")
    connection.execute(_FORGET, {"name": name})
    connection.execute(_REMOVE, {"sha256": sha256})


def bring(engine: Engine, dataset: User, folder: Path) -> None:
    """Put the data set's file into the data folder, unless it lies there; DataError where the database has lost it."""
    path = dataset.path(folder)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == dataset.sha256:
        return
    found = transact(engine, lambda connection: connection.scalars(_BYTES, {"sha256": dataset.sha256}).all())
    data = b"".join(found)
    if hashlib.sha256(data).hexdigest() != dataset.sha256:
        raise DataError(f"the data set {dataset.name} is not in the database any more: add it again")
    store.put(path, data)
