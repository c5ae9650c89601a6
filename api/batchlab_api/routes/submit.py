"""Posting an experiment."""

from typing import Annotated, Any

from batchlab.experiment import ExperimentSpec
from batchlab_client import models
from fastapi import APIRouter, BackgroundTasks, Query
from starlette.responses import Response

from batchlab_api import submission
from batchlab_api.bodies import JsonBody
from batchlab_api.lab import LabDep
from batchlab_api.openapi import body
from batchlab_api.params import IdempotencyKey

router = APIRouter(tags=["experiments"])

DryRun = Annotated[bool, Query(description="Only tell what it would cost; nothing is stored.")]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": models.PlanReport, "description": "With `dry_run`: what it would cost."},
    202: {"model": models.Submitted, "description": "Stored; workers are woken."},
}


@router.post("/experiments", status_code=202, responses=ANSWERS, openapi_extra=body(ExperimentSpec))
def submit_experiment(
    lab: LabDep,
    spec: JsonBody,
    background: BackgroundTasks,
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store an experiment and have its cells trained."""
    if dry_run:
        return submission.dry_run(lab, spec)
    return submission.submit(lab, spec, idempotency_key, background)
