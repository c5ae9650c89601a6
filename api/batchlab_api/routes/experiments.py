"""Experiments: the list and one of them."""

from typing import Annotated

from batchlab_client import models
from batchlab_db import digest, reads
from fastapi import APIRouter, Query, Request, Response

from batchlab_api import links, present
from batchlab_api.lab import LabDep
from batchlab_api.params import Cursor, ExperimentId, Limit
from batchlab_api.shared import Shared

router = APIRouter(prefix="/experiments", tags=["experiments"])

Tag = Annotated[str | None, Query(max_length=200, description="A tag that it has.")]
Text = Annotated[str | None, Query(max_length=200, description="Text within its name, study or note, or its id.")]


@router.get("")
def list_experiments(
    *,
    request: Request,
    response: Response,
    lab: LabDep,
    status: Annotated[models.Status | None, Query(description="Its status.")] = None,
    tag: Tag = None,
    q: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> models.ExperimentPage:
    """Experiments, newest first."""
    filters = reads.Filters(status, tag, q)
    page = lab.read(reads.experiments, lab.settings.alive_seconds, filters, limit=limit, cursor=cursor)
    response.headers.update(links.next_page(request, page.next))
    return models.ExperimentPage(items=[present.summary(row) for row in page.items], next=page.next)


@router.get("/{id}", response_model=models.Experiment)
async def get_experiment(request: Request, id: ExperimentId) -> Response:
    """One experiment with its spec, status and progress."""
    shared: Shared = request.app.state.experiments
    return Response(await shared.get(id), media_type="application/json")


@router.get("/{id}/digest")
def get_digest(lab: LabDep, id: ExperimentId) -> models.Digest:
    """SHA-256 of everything that was measured but times and places."""
    return models.Digest.model_validate(digest.digest(lab.engine, id))
