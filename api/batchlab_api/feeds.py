"""What the event hub reads: the pulse of an experiment, and the points that came since a cursor."""

from batchlab.cell import Cell
from batchlab_client import models
from batchlab_db import cells, curves, reads
from batchlab_db.forming import parse
from batchlab_db.settings import Settings
from sqlalchemy import Connection, Engine

from batchlab_api import axis, clocks, progress
from batchlab_api.cursor import Told
from batchlab_api.stream import CellPulse, PointsReader, Pulse, PulseReader, Stretches, Watch


def readers(engine: Engine, settings: Settings) -> tuple[PulseReader, PointsReader]:
    """The two readers of a hub."""

    def pulse(experiment: str) -> Pulse:
        with engine.connect() as connection:
            return read_pulse(connection, experiment, settings.alive_seconds)

    def points(watch: Watch, behind: Stretches) -> list[models.CurvePoints]:
        with engine.connect() as connection:
            return read_points(connection, watch, behind)

    return pulse, points


def read_pulse(connection: Connection, experiment: str, alive_seconds: float) -> Pulse:
    """The state of an experiment now. Raises NotFound."""
    # The status first: the cells are then at least as new, and nothing comes after the end.
    row = reads.experiment(connection, experiment, alive_seconds)
    status = models.StatusEvent(status=row["status"], error=row["error"])
    told = {
        cell["id"]: CellPulse(cell["batch_size"], Told(cell["steps_done"], cell["rewind"]))
        for cell in cells.pulse(connection, experiment)
    }
    return Pulse(status, progress.of(row), told)


def read_points(connection: Connection, watch: Watch, behind: Stretches) -> list[models.CurvePoints]:
    """The points of these stretches, of each metric that has any."""
    found = curves.since(connection, behind, watch.metrics, watch.points)
    points_of = _cells(connection, watch, {cell for cell, _ in found})
    clock_of = clocks.for_axis(connection, watch.x, points_of)
    return [
        models.CurvePoints(
            cell=str(cell),
            metric=metric,
            x=axis.along(watch.x, points_of[cell], curve.steps, clock_of.get(cell)).tolist(),
            mean=curve.mean.tolist(),
            min=curve.min.tolist(),
            max=curve.max.tolist(),
        )
        for (cell, metric), curve in found.items()
    ]


def _cells(connection: Connection, watch: Watch, ids: set[int]) -> dict[int, Cell]:
    rows = cells.chosen(connection, watch.experiment, [str(id) for id in ids])
    return {row["id"]: parse(row["point"]) for row in rows}
