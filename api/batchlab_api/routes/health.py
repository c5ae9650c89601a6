"""Liveness (open to all) and readiness."""

from batchlab_client import models
from fastapi import APIRouter

from batchlab_api import health
from batchlab_api.lab import LabDep
from batchlab_api.problems import ProblemError

router = APIRouter(prefix="/health", tags=["health"])
open_router = APIRouter(prefix="/health", tags=["health"])


@open_router.get("/live")
async def check_liveness() -> models.Health:
    """That the server's event loop turns. (Async, so that it does not wait for one of the threads.)"""
    return models.Health(status="ok")


@router.get("/ready")
def check_readiness(lab: LabDep) -> models.Health:
    """That every part does its work; 503 names the ones that do not."""
    parts = health.parts(lab)
    failing = [name for name, part in parts.items() if not part.ok]
    if failing:
        detail = "; ".join(f"{name}: {parts[name].detail}" for name in failing)
        members = {"parts": {name: part.model_dump() for name, part in parts.items()}}
        raise ProblemError("not-ready", detail, headers={"Retry-After": "5"}, members=members)
    return models.Health(status="ok", parts=parts)
