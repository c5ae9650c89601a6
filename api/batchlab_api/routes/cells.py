"""The cells of an experiment."""

from typing import Annotated

from batchlab_client import models
from batchlab_db import cells
from fastapi import APIRouter, Path, Request, Response

from batchlab_api import links, present
from batchlab_api.lab import LabDep
from batchlab_api.params import Cursor, ExperimentId, Limit

router = APIRouter(prefix="/experiments/{id}/cells", tags=["cells"])


@router.get("")
def list_cells(
    *, request: Request, response: Response, lab: LabDep, id: ExperimentId, limit: Limit = 1000, cursor: Cursor = None
) -> models.CellPage:
    """Cells by ordinal."""
    page = lab.read(cells.page, id, limit=limit, cursor=cursor)
    response.headers.update(links.next_page(request, page.next))
    return models.CellPage(items=[present.cell(row) for row in page.items], next=page.next)


@router.get("/{cell}")
def get_cell(lab: LabDep, id: ExperimentId, cell: Annotated[str, Path(max_length=64)]) -> models.Cell:
    """One cell."""
    return present.cell(lab.read(cells.one, id, cell))
