"""Analyses: what is computed from trained cells."""

from datetime import datetime
from typing import Any, Literal

from batchlab_client.models.base import Links, Model

AnalysisStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class AnalysisCounts(Model):
    """Analyses by status."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class AnalysedCell(Model):
    """A cell that is looked at, and after how many updates."""

    cell: str
    steps: list[int]


class Analysis(Model):
    """An analysis with what it has found."""

    id: str
    kind: str
    params: dict[str, Any]
    """Defaults filled in."""
    cells: list[AnalysedCell]
    status: AnalysisStatus
    fraction: float
    """How far it is, 0 to 1."""
    cause: str | None
    """Why it failed: out_of_memory, lost, code_error, bad_data, disk_full."""
    message: str | None
    values: dict[str, Any] | None
    """What was found, by name; null before it has succeeded, and for a number that does not exist."""
    meta: dict[str, Any] | None
    """How far to trust it: standard errors, residuals, convergence, precision, rows, seconds, .."""
    device: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: Links
    """`json`, `csv` and `parquet`: the arrays that were found."""


class AnalysisList(Model):
    """Analyses of an experiment, the first asked for first."""

    items: list[Analysis]
