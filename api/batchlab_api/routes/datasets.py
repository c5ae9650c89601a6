"""The data sets, and whether this server has them at hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from batchlab import catalog
from batchlab.datasets import Dataset
from batchlab.kinds import members
from batchlab_client import models
from batchlab_db.errors import NotFound
from fastapi import APIRouter
from fastapi import Path as InPath

from batchlab_api.lab import LabDep

router = APIRouter(prefix="/datasets", tags=["catalog"])


@router.get("")
def list_datasets(lab: LabDep) -> models.DatasetList:
    """Every data set."""
    folder = lab.settings.data_folder
    return models.DatasetList(items=[_dataset(facts, folder) for facts in catalog.datasets()])


@router.get("/{name}")
def get_dataset(lab: LabDep, name: Annotated[str, InPath(max_length=64)]) -> models.Dataset:
    """One data set."""
    for facts in catalog.datasets():
        if facts["name"] == name:
            return _dataset(facts, lab.settings.data_folder)
    raise NotFound(f"there is no data set {name}: GET /datasets lists them")


def _dataset(facts: Mapping[str, Any], folder: Path) -> models.Dataset:
    rows, test_rows, shape = facts["rows"], facts["test_rows"], facts["shape"]
    shapes = {"x": [rows, *shape], "y": [rows]}
    if test_rows:
        shapes |= {"x_test": [test_rows, *shape], "y_test": [test_rows]}
    return models.Dataset.model_validate({**facts, "shapes": shapes, "available": _available(facts["name"], folder)})


def _available(name: str, folder: Path) -> bool:
    kind = next(cls for cls in members(Dataset) if catalog.tag(cls) == name)
    found: bool = kind().available(folder)  # type: ignore[attr-defined]
    return found
