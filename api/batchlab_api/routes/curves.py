"""Curves: series of cells, thinned to what can be drawn, or raw as a file."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from batchlab.errors import Fault
from batchlab_client import models
from batchlab_db import reads
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from batchlab_api import export, series, tables
from batchlab_api.axis import Axis
from batchlab_api.lab import Lab, LabDep
from batchlab_api.params import ChosenBatches, ChosenCells, ExperimentId, names
from batchlab_api.problems import ProblemError
from batchlab_api.series import Asked, Grouping, Member

router = APIRouter(prefix="/experiments/{id}/curves", tags=["curves"])

Format = Annotated[Literal["json", "csv", "parquet"], Query(description="csv and parquet: every stored value.")]
Metrics = Annotated[str, Query(max_length=2000, description="Names of series, by comma.")]
FILES: dict[int | str, dict[str, Any]] = {
    200: {"model": models.Curves, "content": {"text/csv": {}, tables.PARQUET: {}}}
}


def _asked(
    *,
    cells: ChosenCells,
    batch_size: ChosenBatches,
    metrics: Metrics = "loss",
    x: Annotated[Axis, Query(description="What the points stand at.")] = "step",
    first: Annotated[float | None, Query(alias="from", allow_inf_nan=False, description="Least x.")] = None,
    last: Annotated[float | None, Query(alias="to", allow_inf_nan=False, description="Greatest x.")] = None,
    points: Annotated[int, Query(ge=1, le=10**9, description="Points a series, at the most (but 3 at least).")] = 1000,
    group: Annotated[Grouping, Query(description="seed: merged over seeds, with intervals.")] = "cell",
) -> Asked:
    return Asked(names(metrics), cells, batch_size, x, first, last, points, group)


@router.get("", responses=FILES)
def get_curves(
    lab: LabDep, id: ExperimentId, asked: Annotated[Asked, Depends(_asked)], format: Format = "json"
) -> models.Curves:
    """Series of the chosen cells. A point is a bucket of updates with its mean, min and max; x is its last update."""
    with lab.engine.connect() as connection:
        _check_metrics(asked, reads.experiment(connection, id, lab.settings.alive_seconds)["metrics"])
        found = series.members(connection, id, asked)
        if format == "json":
            _check_size(series.size(found, asked), lab.settings.max_points)
            return models.Curves(series=series.read(connection, found, asked))
    return _file(lab, id, found, asked, format)  # type: ignore[return-value]


def _check_metrics(asked: Asked, known: Mapping[str, str]) -> None:
    if unknown := [name for name in asked.metrics if name not in known]:
        detail = f"no series is called {', '.join(unknown)}; there are {', '.join(known)}"
        raise ProblemError("bad-parameter", detail, faults=[Fault(("query", "metrics"), detail)])


def _check_size(points: int, most: int) -> None:
    if points > most:
        detail = f"{points} points are asked for, {most} is the most: choose fewer cells, metrics or points"
        raise ProblemError("too-many-points", detail, members={"points": points, "max_points": most})


def _file(lab: Lab, id: str, found: list[Member], asked: Asked, format: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{id}-curves.{format}"'}
    if format == "csv":
        return StreamingResponse(export.as_csv(lab.engine, found, asked), headers=headers, media_type=tables.CSV)
    pieces: Iterator[bytes] = export.as_parquet(lab.engine, found, asked)
    return StreamingResponse(pieces, headers=headers, media_type=tables.PARQUET)
