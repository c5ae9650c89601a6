"""What is computed from the trained cells of an experiment: asked for, followed, cancelled, taken away."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from batchlab import complaints
from batchlab_client import models
from batchlab_db import kept
from batchlab_db.analyses import asking, reads
from fastapi import APIRouter, BackgroundTasks, Depends, Path
from pydantic import ValidationError
from sqlalchemy import RowMapping
from starlette.responses import Response

from batchlab_api import links, submission, tables
from batchlab_api.bodies import body_of, no_foreign_body
from batchlab_api.lab import Lab, LabDep
from batchlab_api.longtable import columns, nested
from batchlab_api.openapi import body
from batchlab_api.params import ExperimentId
from batchlab_api.problems import ProblemError
from batchlab_api.requests import AnalysisRequest

router = APIRouter(prefix="/experiments/{id}/analyses", tags=["analyses"])

AnalysisId = Annotated[str, Path(alias="analysis", max_length=64, pattern="^[a-z0-9]+$", description="The analysis.")]
Format = Literal["json", "csv", "parquet"]
MEDIA_TYPES: Mapping[Format, str] = {"json": "application/json", "csv": tables.CSV, "parquet": tables.PARQUET}
FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {}, "text/csv": {}, tables.PARQUET: {}}},
}


@router.post("", status_code=202, openapi_extra=body(AnalysisRequest))
def ask_for_analysis(
    lab: LabDep,
    id: ExperimentId,
    wanted: Annotated[AnalysisRequest, Depends(body_of(AnalysisRequest))],
    background: BackgroundTasks,
) -> models.AnalysisList:
    """Queue an analysis of the trained cells, or of some: one for each cell, pair or set that it looks at.

    What was asked for before, of the same weights with the same parameters, is not computed again.
    """
    lab.read(kept.must_exist, id)
    submission.refuse_when_full(lab)
    ids = asking.request(lab.engine, id, _parsed(wanted), wanted.cells, wanted.checkpoint)
    background.add_task(submission.wake, lab)
    return models.AnalysisList(items=[_one(lab, id, analysis) for analysis in ids])


def _parsed(wanted: AnalysisRequest) -> Any:
    document = {**wanted.params, "kind": wanted.kind}
    try:
        return asking.ANALYSES.validate_json(json.dumps(document))
    except ValidationError as error:
        faults = complaints.faults(error, document)
        told = complaints.below(faults, lambda key: () if key == "kind" else ("params",))
        detail = "; ".join(f"{'.'.join(map(str, f.loc))}: {f.msg}" for f in told)
        raise ProblemError("bad-body", detail, faults=told) from error


@router.get("")
def list_analyses(lab: LabDep, id: ExperimentId) -> models.AnalysisList:
    """Every analysis, the first asked for first."""
    return models.AnalysisList(items=[_shown(row) for row in lab.read(reads.listing, id)])


@router.get("/{analysis}.{format}", responses=FILES, response_class=Response)
def get_arrays(lab: LabDep, id: ExperimentId, analysis: AnalysisId, format: Format) -> Response:
    """The arrays that an analysis has found. csv and parquet: a row for each number, with its place (i, j, k)."""
    found = lab.read(reads.arrays, id, analysis)
    headers = {"Content-Disposition": f'attachment; filename="{analysis}.{format}"'}
    if format == "json":
        return Response(nested(found), headers=headers, media_type=MEDIA_TYPES[format])
    table = columns(found)
    if format == "parquet":
        return Response(tables.parquet_of(table), headers=headers, media_type=MEDIA_TYPES[format])
    lines = tables.csv_lines(list(table), zip(*table.values(), strict=True))
    return Response("".join(lines), headers=headers, media_type=MEDIA_TYPES[format])


@router.get("/{analysis}")
def get_analysis(lab: LabDep, id: ExperimentId, analysis: AnalysisId) -> models.Analysis:
    """One analysis with its progress and, at its end, its values."""
    return _one(lab, id, analysis)


@router.post("/{analysis}/cancel", status_code=202, dependencies=[Depends(no_foreign_body)])
def cancel_analysis(lab: LabDep, id: ExperimentId, analysis: AnalysisId) -> models.Analysis:
    """End it now; asking for it again starts it anew."""
    reads.cancel(lab.engine, id, analysis)
    return _one(lab, id, analysis)


def _one(lab: Lab, id: str, analysis: str) -> models.Analysis:
    return _shown(lab.read(reads.one, id, analysis))


def _shown(row: RowMapping) -> models.Analysis:
    base = f"{links.experiment(row['experiment_id'])['analyses']}/{row['id']}"
    same = ("id", "kind", "status", "fraction", "cause", "message", "meta", "device")
    return models.Analysis(
        **{name: row[name] for name in (*same, "created_at", "started_at", "finished_at")},
        params={name: value for name, value in row["document"].items() if name != "kind"},
        cells=[models.AnalysedCell(cell=str(one["cell"]), steps=one["steps"]) for one in row["subjects"]],
        values=row["found"],
        links={"self": base, **{format: f"{base}.{format}" for format in MEDIA_TYPES}},
    )
