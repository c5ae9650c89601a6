"""Experiments and their cells."""

from datetime import datetime
from typing import Any

from pydantic import Field

from batchlab_client.models.analyses import AnalysisCounts
from batchlab_client.models.base import CellStatus, Links, Model, Number, Status


class CellCounts(Model):
    """Cells by status."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    diverged: int = 0
    failed: int = 0
    cancelled: int = 0


class Progress(Model):
    """How far an experiment is."""

    cells: CellCounts
    updates_done: int
    updates_total: int
    eta_seconds: Number
    """Time left at the measured speed; null where nothing is known yet."""


class Submitted(Model):
    """A posted experiment: it is stored, and workers have been woken where they could be reached."""

    id: str
    name: str
    status: Status
    cells: int
    updates: int
    warnings: list[str]
    links: Links


class PlanReport(Model):
    """What a spec would cost. Nothing was stored."""

    name: str
    cells: int
    updates: int
    """Updates of all cells together."""
    analyses: int = 0
    """How many follow the training."""
    storage: int
    """Bytes of series and kept weights in the database, about."""
    eta_seconds: Number
    """Time on the workers that are alive now; null where their speed is not known."""
    warnings: list[str]


class ExperimentSummary(Model):
    """An experiment as lists show it."""

    id: str
    name: str
    note: str
    tags: list[str]
    study: str | None
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    progress: Progress
    """Of the training."""
    analyses: AnalysisCounts = Field(default_factory=AnalysisCounts)
    """What is computed from its trained cells, by status."""
    links: Links


class Experiment(ExperimentSummary):
    """An experiment with its spec."""

    spec: dict[str, Any]
    """As posted, defaults filled in."""
    metrics: dict[str, str]
    """Name of each stored series -> its unit."""


class ExperimentPage(Model):
    """A page of experiments, newest first."""

    items: list[ExperimentSummary]
    next: str | None
    """The cursor of the next page; null on the last."""


class Cell(Model):
    """One point of a sweep: one training run."""

    id: str
    ordinal: int
    variant: str | None
    batch_size: int
    """In rows, percentages resolved."""
    lr: float
    momentum: float | None
    seed: int
    params: dict[str, float]
    """The optimizer numbers that vary within the experiment."""
    status: CellStatus
    cause: str | None
    """Why it failed: out_of_memory, lost, timeout, code_error, bad_data, disk_full."""
    message: str | None
    engine: str | None
    shared_with: int | None
    """How many other cells shared its steps."""
    environment: dict[str, Any] | None
    """Device and library versions; `seams` are the steps at which they changed."""
    steps_done: int
    steps_total: int
    result: dict[str, Any] | None
    analyses: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """In results: kind -> what its analyses have found."""


class CellPage(Model):
    """A page of cells by ordinal."""

    items: list[Cell]
    next: str | None
