"""Results by cell and averaged over seeds, as JSON or as a file."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from batchlab.results import group_cells
from batchlab_client import models
from batchlab_db import cells
from batchlab_db.analyses import reads as analyses
from fastapi import APIRouter, Query
from starlette.responses import Response

from batchlab_api import present, tables
from batchlab_api.lab import LabDep
from batchlab_api.params import ExperimentId

router = APIRouter(prefix="/experiments/{id}/results", tags=["results"])

Format = Literal["json", "csv", "parquet"]
FILES: dict[int | str, dict[str, Any]] = {
    200: {"model": models.Results, "content": {"text/csv": {}, tables.PARQUET: {}}}
}


@router.get("", responses=FILES)
def get_results(
    lab: LabDep, id: ExperimentId, format: Annotated[Format, Query(description="csv and parquet: by cell.")] = "json"
) -> models.Results:
    """Every cell with its result, and the means over seeds."""
    found = lab.read(analyses.by_cell, id)
    rows = lab.read(cells.every, id)
    shown = [present.cell(row, found.get(row["id"])) for row in rows]
    if format != "json":
        return _file(shown, format, f"{id}-results.{format}")  # type: ignore[return-value]
    groups = [models.Group.model_validate(group) for group in group_cells([dict(row) for row in rows])]
    return models.Results(cells=shown, groups=groups)


def _file(shown: Sequence[models.Cell], format: Format, name: str) -> Response:
    rows = tables.flat(shown)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if format == "parquet":
        return Response(tables.parquet(rows), headers=headers, media_type=tables.PARQUET)
    columns = list(rows[0]) if rows else []
    lines = tables.csv_lines(columns, ([row[name] for name in columns] for row in rows))
    return Response("".join(lines), headers=headers, media_type=tables.CSV)
