"""What a spec may say: every kind with its schema, and the schema of the whole."""

from typing import Any

from batchlab import catalog
from fastapi import APIRouter

router = APIRouter(tags=["catalog"])


@router.get("/catalog")
def get_catalog() -> dict[str, Any]:
    """By family, `{kind: {"schema", "doc"}}`."""
    return catalog.catalog()


@router.get("/schema/experiment.json")
def get_experiment_schema() -> dict[str, Any]:
    """The JSON Schema (draft 7) of a spec, for editors."""
    return catalog.experiment_schema()
