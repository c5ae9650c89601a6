"""From the database's rows to the answers' models."""

from collections.abc import Mapping
from typing import Any

from batchlab_client import models
from batchlab_db import reads
from batchlab_db.reads import Row

from batchlab_api import links, progress
from batchlab_api.lab import Lab


def summary(row: Row) -> models.ExperimentSummary:
    """An experiment for a list."""
    return models.ExperimentSummary.model_validate(_shown(row))


def experiment(row: Row) -> models.Experiment:
    """An experiment with its spec."""
    return models.Experiment.model_validate({**_shown(row), "spec": row["spec"], "metrics": row["metrics"]})


def one(lab: Lab, id: str) -> models.Experiment:
    """The experiment as it is now. Raises NotFound."""
    return experiment(lab.read(reads.experiment, id, lab.settings.alive_seconds))


def as_json(lab: Lab, id: str) -> bytes:
    """The experiment as it is now, as its answer's body. Raises NotFound."""
    return one(lab, id).model_dump_json().encode()


def _shown(row: Row) -> dict[str, object]:
    return {**row, "progress": progress.of(row), "links": links.experiment(row["id"])}


def cell(row: Row, analyses: Mapping[str, Any] | None = None) -> models.Cell:
    """A cell, with what its analyses have found; the database's own columns are left out."""
    return models.Cell.model_validate({**row, "id": str(row["id"]), "analyses": analyses or {}})
