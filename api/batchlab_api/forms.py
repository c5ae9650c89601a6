"""The one body that is no JSON: a form with a file. Read after the guard has let the request pass, a part at a time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO, get_args

from batchlab.datasets.user import NAME
from batchlab.uploads import Task
from fastapi import Depends, Request
from pydantic import Field, TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from batchlab_api.problems import ProblemError

TEXTS = ("name", "label", "task")
MOST_TEXT_BYTES = 4096
DataName = Annotated[str, Field(pattern=NAME)]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "file"],
    "properties": {
        "name": {"type": "string", "pattern": NAME, "description": "What specs call it."},
        "file": {"type": "string", "format": "binary", "description": "npz (x, y[, x_test, y_test]) or csv."},
        "label": {"type": "string", "description": "Of a csv: the column of the labels (default: `label`)."},
        "task": {
            "enum": list(get_args(Task)),
            "description": "Default: classification where labels are whole numbers.",
        },
    },
}
BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": SCHEMA}}}}
"""What `openapi_extra` of the route says."""


@dataclass(frozen=True)
class DataForm:
    """A data set as it was sent."""

    name: str
    file: BinaryIO
    """Larger ones lie on the disk, without a name, and go with the request."""
    label: str | None
    task: Task | None


async def data_form(request: Request) -> AsyncIterator[DataForm]:
    """The form in the body, whose file is closed after the answer; raises where it is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise ProblemError("not-multipart", "send Content-Type: multipart/form-data with the fields name and file")
    async with request.form(max_files=1, max_fields=len(TEXTS), max_part_size=MOST_TEXT_BYTES) as form:
        yield _checked(form)


def _checked(form: FormData) -> DataForm:
    unknown = sorted(form.keys() - {*TEXTS, "file"})
    if unknown or len(form.multi_items()) > len(form):
        detail = f"unknown or repeated: {', '.join(unknown)}" if unknown else "a field is there twice"
        raise ProblemError("bad-body", f"{detail}; the fields are name, file, label and task")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise ProblemError("bad-body", "file: required, as a file (curl -F file=@data.npz)")
    name, label, task = (_text(form, key) for key in TEXTS)
    if task not in (None, *get_args(Task)):
        raise ProblemError("bad-body", f"task: one of {', '.join(get_args(Task))}")
    return DataForm(checked_name(name), file.file, label, task)  # type: ignore[arg-type]


def _text(form: FormData, key: str) -> str | None:
    value = form.get(key)
    if isinstance(value, UploadFile):
        raise ProblemError("bad-body", f"{key}: a text, not a file")
    return value or None


def checked_name(name: str | None) -> str:
    """A name that a data set may have."""
    try:
        return TypeAdapter(DataName).validate_python(name)
    except ValidationError as error:
        text = "up to 64 small letters, digits, dots, dashes and underscores, a letter or digit first"
        raise ProblemError("bad-body", f"name: {text}") from error


Form = Annotated[DataForm, Depends(data_form)]
