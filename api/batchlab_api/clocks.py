"""Running totals by update, from stored series: of training seconds, and of rows where the batch sizes were found."""

from collections.abc import Mapping, Sequence

from batchlab.cell import Cell
from batchlab_db import curves
from batchlab_db.curves import Wanted
from sqlalchemy import Connection

from batchlab_api.axis import Axis, Clock

POINTS = 4000


def for_axis(connection: Connection, x: Axis, cells: Mapping[int, Cell]) -> dict[int, Clock]:
    """The clocks that these cells, by id, need on the axis `x`."""
    if x == "seconds":
        return of(connection, list(cells), "step_seconds")
    return {} if x == "step" else rows(connection, cells)


def rows(connection: Connection, cells: Mapping[int, Cell]) -> dict[int, Clock]:
    """The rows seen by those of these cells whose batch sizes only their series tell."""
    found = [id for id, cell in cells.items() if cell.batch_schedule.adaptive]
    return of(connection, found, "batch_size") if found else {}


def of(connection: Connection, cells: Sequence[int], metric: str) -> dict[int, Clock]:
    """The running total of a metric for each of these cells."""
    read = curves.read_many(connection, [Wanted(cell, metric) for cell in cells], POINTS)
    return {cell: Clock.of(curve.steps, curve.mean) for cell, curve in zip(cells, read, strict=True)}
