"""What can be done to an experiment: each answers with the experiment as it then is."""

from typing import Annotated

from batchlab_client import models
from batchlab_db import experiments
from fastapi import APIRouter, BackgroundTasks, Depends

from batchlab_api import present, submission
from batchlab_api.bodies import body_of, no_foreign_body
from batchlab_api.lab import Lab, LabDep
from batchlab_api.openapi import body
from batchlab_api.params import ExperimentId
from batchlab_api.requests import ExperimentPatch, MoreSeeds

router = APIRouter(prefix="/experiments/{id}", tags=["experiments"])

NO_BODY = [Depends(no_foreign_body)]


@router.post("/cancel", status_code=202, dependencies=NO_BODY)
def cancel_experiment(lab: LabDep, id: ExperimentId) -> models.Experiment:
    """End it now. What is stored stays; `retry` runs the rest after all."""
    experiments.cancel(lab.engine, id)
    return present.one(lab, id)


@router.post("/pause", status_code=202, dependencies=NO_BODY)
def pause_experiment(lab: LabDep, id: ExperimentId) -> models.Experiment:
    """Let it rest after the present block, until `resume`."""
    experiments.pause(lab.engine, id)
    return present.one(lab, id)


@router.post("/resume", status_code=202, dependencies=NO_BODY)
def resume_experiment(lab: LabDep, id: ExperimentId, background: BackgroundTasks) -> models.Experiment:
    """Go on from where it was paused."""
    experiments.resume(lab.engine, id)
    return _woken(lab, id, background)


@router.post("/retry", status_code=202, dependencies=NO_BODY)
def retry_experiment(lab: LabDep, id: ExperimentId, background: BackgroundTasks) -> models.Experiment:
    """Run again what failed, was lost or cancelled."""
    experiments.retry(lab.engine, id)
    return _woken(lab, id, background)


@router.post("/seeds", status_code=202, openapi_extra=body(MoreSeeds))
def add_seeds(
    lab: LabDep, id: ExperimentId, more: Annotated[MoreSeeds, Depends(body_of(MoreSeeds))], background: BackgroundTasks
) -> models.Experiment:
    """Add seeds to every point of the sweep."""
    submission.refuse_when_full(lab)
    experiments.add_seeds(lab.engine, id, more.add, submission.limits(lab))
    return _woken(lab, id, background)


@router.patch("", openapi_extra=body(ExperimentPatch, required=False))
def change_experiment(
    lab: LabDep, id: ExperimentId, patch: Annotated[ExperimentPatch, Depends(body_of(ExperimentPatch))]
) -> models.Experiment:
    """Change its name, tags or note."""
    experiments.patch(lab.engine, id, patch.name, patch.tags, patch.note)
    return present.one(lab, id)


@router.delete("", status_code=204, dependencies=NO_BODY)
def delete_experiment(lab: LabDep, id: ExperimentId) -> None:
    """Delete it and all it measured; refused while it runs."""
    experiments.delete(lab.engine, id)


def _woken(lab: Lab, id: str, background: BackgroundTasks) -> models.Experiment:
    background.add_task(submission.wake, lab)
    return present.one(lab, id)
