"""Training seconds by update, from the stored step times."""

from collections.abc import Sequence

from batchlab_db import curves
from batchlab_db.curves import Wanted
from sqlalchemy import Connection

from batchlab_api.axis import Clock

POINTS = 4000


def of(connection: Connection, cells: Sequence[int]) -> dict[int, Clock]:
    """A clock for each of these cells."""
    read = curves.read_many(connection, [Wanted(cell, "step_seconds") for cell in cells], POINTS)
    return {cell: Clock.of(curve.steps, curve.mean) for cell, curve in zip(cells, read, strict=True)}
