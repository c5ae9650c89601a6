"""The OpenAPI document: FastAPI's, with problems on every operation and with the bodies that routes read themselves."""

import json
from collections.abc import Set
from typing import Any

from batchlab.spec import ExperimentSpec
from batchlab_client.models import Problem
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from batchlab_api.problems import MEDIA_TYPE
from batchlab_api.requests import AnalysisRequest, ExperimentPatch, Login, MoreSeeds, PreviewRequest

BODIES: tuple[type[BaseModel], ...] = (
    ExperimentSpec,
    AnalysisRequest,
    ExperimentPatch,
    Login,
    MoreSeeds,
    PreviewRequest,
    Problem,
)
_REF = "#/components/schemas/{model}"
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; the problem says why.", **_PROBLEM},
    "5XX": {"description": "The server cannot do it now.", **_PROBLEM},
}


def body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """What `openapi_extra` of a route says about a JSON body like `model` (one of BODIES)."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


FREE_BODY: dict[str, Any] = {
    "requestBody": {"required": False, "content": {"application/json": {"schema": {"type": "object"}}}}
}
"""A body that is any object."""


def install(app: FastAPI, *, guarded: bool) -> None:
    """Have `app.openapi()` make this document, once. Where nothing is `guarded`, it asks for no token."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schemas = made["components"]["schemas"]
            schemas |= _apart(_body_schemas(), schemas.keys())
            if not guarded:
                _open(made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _open(document: dict[str, Any]) -> None:
    document["components"].pop("securitySchemes", None)
    for verbs in document["paths"].values():
        for operation in verbs.values():
            operation.pop("security", None)


def _body_schemas() -> dict[str, Any]:
    _, found = models_json_schema([(model, "validation") for model in BODIES], ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    for schema in schemas.values():
        _require_tags(schema)
    return schemas


def _apart(bodies: dict[str, Any], taken: Set[str]) -> dict[str, Any]:
    """The definitions of bodies under names that no answer has: a norm called Group is not a group of results."""
    own = {model.__name__ for model in BODIES}
    names = {name: f"Spec{name}" for name in (bodies.keys() & taken) - own}
    text = json.dumps({names.get(name, name): schema for name, schema in bodies.items()})
    for name, new in names.items():
        text = text.replace(json.dumps(_REF.format(model=name)), json.dumps(_REF.format(model=new)))
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def _require_tags(schema: dict[str, Any]) -> None:
    """A member of a union is told by its constant, so that one must be there, whatever its default."""
    tags = [name for name, field in schema.get("properties", {}).items() if "const" in field]
    if tags:
        schema["required"] = sorted({*schema.get("required", []), *tags})
