"""Who does the work, and whether it can be done."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from batchlab_client.models.base import Model


class CurrentSlice(Model):
    """What a worker trains at the moment."""

    experiment: str
    cohort: str
    phase: str | None


class Worker(Model):
    """A worker process, by its own account every few seconds."""

    worker: str
    machine: str
    pid: int
    queues: list[str]
    device: str
    datasets: list[str]
    """Kinds whose data it has at hand."""
    state: str
    """idle, busy, draining, or paused: disk."""
    alive: bool
    """Whether it was heard of lately."""
    slice: CurrentSlice | None
    started_at: datetime
    last_heartbeat: datetime


class WorkerList(Model):
    """The workers, living first."""

    items: list[Worker]
    next: str | None = None


class Part(Model):
    """One thing that the server needs."""

    ok: bool
    detail: str


class Health(Model):
    """Whether the server can do its work, part by part."""

    status: Literal["ok", "failing"]
    parts: dict[str, Part] = Field(default_factory=dict)
