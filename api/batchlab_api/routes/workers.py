"""Who works here."""

from collections.abc import Mapping

from batchlab_client import models
from batchlab_db import observe, workers
from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping

from batchlab_api.lab import LabDep

router = APIRouter(prefix="/workers", tags=["workers"])


@router.get("")
def list_workers(lab: LabDep) -> models.WorkerList:
    """Every worker that was heard of, the living ones first."""
    return models.WorkerList(items=lab.read(_workers, lab.settings.alive_seconds))


def _workers(connection: Connection, alive_seconds: float) -> list[models.Worker]:
    slices = {row["id"]: row for row in observe.running_slices(connection)}
    return [_worker(row, slices, alive_seconds) for row in workers.everyone(connection)]


def _worker(row: RowMapping, slices: Mapping[int, RowMapping], alive_seconds: float) -> models.Worker:
    held = slices.get(row["cohort_id"])
    current = held and models.CurrentSlice(
        experiment=held["experiment_id"], cohort=str(held["id"]), phase=held["phase"]
    )
    return models.Worker(
        worker=row["id"],
        machine=row["machine"],
        pid=row["pid"],
        queues=row["queues"],
        device=row["device"],
        datasets=row["datasets"],
        state=row["state"],
        alive=row["age"] < alive_seconds,
        slice=current,
        started_at=row["started_at"],
        last_heartbeat=row["heartbeat_at"],
    )
