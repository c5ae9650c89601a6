"""The kept weights of an experiment: the list with its sizes, the files, and their deletion."""

from typing import Annotated

from batchlab_client import models
from batchlab_db import kept
from fastapi import APIRouter, Depends, Path
from sqlalchemy import RowMapping
from starlette.responses import Response

from batchlab_api import links
from batchlab_api.bodies import no_foreign_body
from batchlab_api.lab import LabDep
from batchlab_api.params import ExperimentId, FewCells

router = APIRouter(prefix="/experiments/{id}/checkpoints", tags=["checkpoints"])

MEDIA_TYPE = "application/octet-stream"
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file.")]


@router.get("")
def list_checkpoints(lab: LabDep, id: ExperimentId, cells: FewCells) -> models.CheckpointList:
    """The kept weights by cell and step, and the room that they take."""
    rows = lab.read(kept.listing, id, cells)
    sizes = {row["sha256"]: row["bytes"] for row in rows}
    return models.CheckpointList(items=[_checkpoint(id, row) for row in rows], bytes=sum(sizes.values()))


@router.get("/{sha256}.safetensors", response_class=Response, responses={200: {"content": {MEDIA_TYPE: {}}}})
def get_checkpoint(lab: LabDep, id: ExperimentId, sha256: Sha256) -> Response:
    """Kept weights as a safetensors file: parameters and buffers by name."""
    headers = {"ETag": f'"{sha256}"', "Content-Disposition": f'attachment; filename="{sha256[:12]}.safetensors"'}
    return Response(lab.read(kept.of_experiment, id, sha256), headers=headers, media_type=MEDIA_TYPE)


@router.delete("", dependencies=[Depends(no_foreign_body)])
def delete_checkpoints(lab: LabDep, id: ExperimentId, cells: FewCells) -> models.CheckpointsDeleted:
    """Delete the kept weights, of all cells or of some; what was measured stays."""
    return models.CheckpointsDeleted(checkpoints=kept.delete(lab.engine, id, cells))


def _checkpoint(id: str, row: RowMapping) -> models.Checkpoint:
    file = f"{links.experiment(id)['checkpoints']}/{row['sha256']}.safetensors"
    shown = {name: row[name] for name in ("ordinal", "step", "labels", "sha256", "bytes", "written_at")}
    return models.Checkpoint(cell=str(row["cell_id"]), links={"file": file}, **shown)
