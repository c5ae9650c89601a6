"""What is shown of cells."""

from collections.abc import Sequence

from sqlalchemy import Connection, TextClause, text

from batchlab_db import cursors
from batchlab_db.errors import NotFound
from batchlab_db.reads import Page, Row, storable

_COLUMNS = """
    id, ordinal, variant, batch_size, lr, momentum, seed, params, status, cause, message, engine, shared_with,
    environment, steps_done, steps_total, rewind, result, started_at, finished_at
"""
_PAGE = text(
    f"""
    SELECT {_COLUMNS} FROM cells WHERE experiment_id = :experiment AND ordinal > :after ORDER BY ordinal LIMIT :limit
    """
)
_ONE = text(f"SELECT {_COLUMNS}, point FROM cells WHERE experiment_id = :experiment AND id = :cell")
_CHOSEN = text(
    f"""
    SELECT {_COLUMNS}, point FROM cells WHERE experiment_id = :experiment
        AND (CAST(:cells AS bigint[]) IS NULL OR id = ANY(:cells))
        AND (CAST(:sizes AS bigint[]) IS NULL OR batch_size = ANY(:sizes))
    ORDER BY ordinal
    """
)
_ALL = text(f"SELECT {_COLUMNS} FROM cells WHERE experiment_id = :experiment ORDER BY ordinal")
_PULSE = text("SELECT id, batch_size, steps_done, rewind FROM cells WHERE experiment_id = :experiment ORDER BY ordinal")
_EXISTS = text("SELECT FROM experiments WHERE id = :experiment AND deleted_at IS NULL")


def page(connection: Connection, experiment_id: str, *, limit: int = 100, cursor: str | None = None) -> Page:
    """Cells by ordinal. Raises NotFound and BadCursor."""
    mark = ("cells", experiment_id)
    after = -1 if cursor is None else cursors.decode(mark, cursor, int)[0]
    rows = _rows(connection, _PAGE, experiment_id, after=after, limit=limit + 1)
    return Page(rows[:limit], cursors.encode(mark, (rows[limit - 1]["ordinal"],)) if len(rows) > limit else None)


def one(connection: Connection, experiment_id: str, cell_id: str) -> Row:
    """One cell, with its `point`. Raises NotFound, also for what is no cell's id at all."""
    number = numbers([cell_id])
    rows = _rows(connection, _ONE, experiment_id, cell=number[0]) if number else ()
    if not rows:
        raise NotFound(f"experiment {experiment_id} has no cell {cell_id}")
    return rows[0]


def every(connection: Connection, experiment_id: str) -> Sequence[Row]:
    """All cells by ordinal: what the table of results is made of. Raises NotFound."""
    return _rows(connection, _ALL, experiment_id)


def chosen(
    connection: Connection,
    experiment_id: str,
    cells: Sequence[str] | None = None,
    batch_sizes: Sequence[int] | None = None,
) -> Sequence[Row]:
    """The cells, with their `point`, that have one of these ids and one of these batch sizes (None: any).

    Raises NotFound for the experiment; what no cell has matches none.
    """
    ids = None if cells is None else numbers(cells)
    return _rows(connection, _CHOSEN, experiment_id, cells=ids, sizes=batch_sizes)


def pulse(connection: Connection, experiment_id: str) -> Sequence[Row]:
    """How far each cell is: `id, batch_size, steps_done, rewind`. Raises NotFound."""
    return _rows(connection, _PULSE, experiment_id)


def numbers(ids: Sequence[str]) -> list[int]:
    """The ids among `ids` that can be a cell's."""
    return [int(text) for text in ids if text.isascii() and text.isdigit() and len(text) < 19]


def _rows(connection: Connection, query: TextClause, experiment_id: str, **values: object) -> Sequence[Row]:
    asked = {"experiment": storable(experiment_id), **values}
    rows = connection.execute(query, asked).mappings().all()
    if connection.execute(_EXISTS, asked).one_or_none() is None:
        raise NotFound(f"there is no experiment {experiment_id}")
    return rows
