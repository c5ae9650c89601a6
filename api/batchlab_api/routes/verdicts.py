"""What the data say of an experiment's claims, and how many seeds it takes to see a difference."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from batchlab.pairs import pairs
from batchlab_client import models
from batchlab_db import cells, reads
from batchlab_db.reads import Row
from fastapi import APIRouter, Query

from batchlab_api.evidence import judged
from batchlab_api.lab import LabDep
from batchlab_api.params import ExperimentId

router = APIRouter(prefix="/experiments/{id}", tags=["verdicts"])

Metric = Annotated[str, Query(max_length=200, description="A key of the cells' results.")]
Difference = Annotated[float, Query(gt=0, allow_inf_nan=False, description="The difference that is to be seen.")]


@router.get("/verdicts")
def get_verdicts(lab: LabDep, id: ExperimentId) -> models.Verdicts:
    """The claims of the experiment's study and of its own spec, each judged by the cells that there are."""
    with lab.engine.connect() as connection:
        row = reads.experiment(connection, id, lab.settings.alive_seconds)
        found = judged(connection, dict(row))
    claims = [models.Verdict.model_validate(asdict(verdict)) for verdict in found]
    return models.Verdicts(claims=claims, preliminary=unfinished(row))


def unfinished(row: Row) -> bool:
    """Whether cells of this experiment are still to come."""
    return row["status"] not in ("succeeded", "failed", "cancelled")


@router.get("/power")
def get_power(lab: LabDep, id: ExperimentId, metric: Metric, difference: Difference) -> models.Power:
    """How many seeds show this difference between neighbouring points of the sweep, by the scatter measured so far."""
    rows = [dict(row) for row in lab.read(cells.every, id)]
    found = pairs(rows, metric, difference)
    needed = [pair.seeds for pair in found]
    return models.Power(
        metric=metric,
        difference=difference,
        seeds=_most(needed),
        pairs=[models.PowerPair.model_validate(asdict(pair)) for pair in found],
    )


def _most(needed: Sequence[int | None]) -> int | None:
    """Enough for every pair; None where one of them cannot be told."""
    known = [seeds for seeds in needed if seeds is not None]
    return max(known) if known and len(known) == len(needed) else None
