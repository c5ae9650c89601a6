"""The data sets: those of the lab's kinds, and those that users add."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from batchlab import catalog
from batchlab.datasets import standalone
from batchlab.uploads import Limits, read
from batchlab_client import models
from batchlab_db import data
from batchlab_db.errors import NameTaken, NotFound
from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from sqlalchemy import RowMapping
from starlette.responses import Response

from batchlab_api import forms
from batchlab_api.bodies import no_foreign_body
from batchlab_api.lab import Lab, LabDep
from batchlab_api.problems import ProblemError
from batchlab_api.submission import refuse_when_full

router = APIRouter(prefix="/datasets", tags=["catalog"])
Name = Annotated[str, InPath(max_length=64)]


@router.get("")
def list_datasets(lab: LabDep) -> models.DatasetList:
    """Every data set: those that a spec names by their kind, then those that users added."""
    folder = lab.settings.data_folder
    own = [_dataset(facts, folder) for facts in catalog.datasets()]
    return models.DatasetList(items=[*own, *map(_added, lab.read(data.everything))])


@router.get("/{name}")
def get_dataset(lab: LabDep, name: Name) -> models.Dataset:
    """One data set."""
    for facts in catalog.datasets():
        if facts["name"] == name:
            return _dataset(facts, lab.settings.data_folder)
    return _one(lab, name)


@router.post("", status_code=201, response_model=models.Dataset, openapi_extra=forms.BODY)
def add_dataset(lab: LabDep, form: forms.Form) -> Response:
    """Add a data set; specs then name it by `{"kind": "user", "name": ...}`. Nothing in the file is unpickled."""
    _check_name(lab, form.name)
    refuse_when_full(lab)
    if not lab.reading.acquire(blocking=False):  # each may take the memory of its arrays several times
        raise ProblemError("busy", "another data set is just being added: try again", headers={"Retry-After": "5"})
    try:
        upload = read(form.file, Limits(lab.settings.max_data_bytes), label=form.label, task=form.task)
        data.add(lab.engine, form.name, upload.data, upload.facts, request=uuid4().hex)
    finally:
        lab.reading.release()
    made = _one(lab, form.name)
    headers = {"Location": f"/datasets/{form.name}"}
    return Response(made.model_dump_json(), status_code=201, headers=headers, media_type="application/json")


@router.delete("/{name}", status_code=204, dependencies=[Depends(no_foreign_body)])
def delete_dataset(lab: LabDep, name: Name) -> None:
    """Delete a data set that was added; refused while a stored experiment uses it."""
    data.delete(lab.engine, name)


def _check_name(lab: Lab, name: str) -> None:
    """Refuse a name that is taken before the file is looked at."""
    kinds = {cls.tag() for cls in standalone()}
    if name in kinds or lab.read(data.find, name) is not None:
        raise NameTaken(f"there is a data set {name} already: choose another name")


def _one(lab: Lab, name: str) -> models.Dataset:
    row = lab.read(data.find, name)
    if row is None:
        raise NotFound(f"there is no data set {name}: GET /datasets lists them")
    return _added(row)


def _added(row: RowMapping) -> models.Dataset:
    """A data set that a user added. Its workers bring it from the database, so that it is always there."""
    facts = {**row, "kind": "user", "doc": "Added by a user.", "available": True}
    task = "regression" if row["classes"] is None else "classification"
    return models.Dataset.model_validate({**facts, "task": task, "shapes": _shapes(facts)})


def _dataset(facts: Mapping[str, Any], folder: Path) -> models.Dataset:
    shown = {**facts, "kind": facts["name"], "created_at": None, "available": _available(facts["name"], folder)}
    return models.Dataset.model_validate({**shown, "shapes": _shapes(facts)})


def _shapes(facts: Mapping[str, Any]) -> dict[str, list[int]]:
    rows, test_rows, shape = facts["rows"], facts["test_rows"], facts["shape"]
    shapes = {"x": [rows, *shape], "y": [rows]}
    return shapes | ({"x_test": [test_rows, *shape], "y_test": [test_rows]} if test_rows else {})


def _available(name: str, folder: Path) -> bool:
    return next(cls for cls in standalone() if cls.tag() == name).at_hand(folder)
