"""What can be asked for: plots, studies, schedules, data sets."""

from datetime import datetime
from typing import Any, Literal

from batchlab_client.models.base import Links, Model, Number


class PlotInfo(Model):
    """A plot that can be asked for."""

    name: str
    title: str
    links: Links
    """Address by format: svg, png, pdf, html, json."""


class PlotList(Model):
    """The plots of an experiment."""

    items: list[PlotInfo]
    next: str | None = None


class Claim(Model):
    """A statement that a study puts to the test."""

    id: str
    text: str
    source: str


class Study(Model):
    """A preset: a spec with the plots and claims that belong to it."""

    name: str
    title: str
    source: str
    question: str
    doc: str
    spec: dict[str, Any]
    sizes: list[str]
    plots: list[str]
    claims: list[Claim]
    topic: str = ""
    """What it is about: gradients, time, learning rates and so on."""
    links: Links
    """Itself, how it is started, and its picture where one has been drawn."""


class StudyList(Model):
    """Every study."""

    items: list[Study]
    next: str | None = None


class Equivalence(Model):
    """A run with a changing batch against the one of constant batch size that sees the same rows."""

    updates: int
    even_updates: int
    """Of the run whose batch size stays."""
    saved: float
    """The share of the updates that are saved."""
    noise: list[Number]
    """Rate over batch size, a common schedule of the rate left aside: one entry a point."""
    even_noise: list[Number]
    """That of the other run after as many rows."""
    departure: Number
    """The largest factor between the two, either way: 1 where the runs are equivalent."""


class SchedulePreview(Model):
    """What a schedule does, without training: one entry a point."""

    x: list[int]
    """Numbers of updates, from 1."""
    lr: list[Number]
    momentum: list[Number] | None
    batch_size: list[int] | None = None
    """Rows of a full batch; null without a batch schedule."""
    equivalence: Equivalence | None = None
    """Null without a batch schedule."""


class Dataset(Model):
    """Facts about a data set."""

    name: str
    kind: str
    """How a spec names it: by this kind, where it is `user` together with the name."""
    doc: str
    task: Literal["classification", "regression"]
    rows: int
    """Rows of the training part."""
    test_rows: int
    shapes: dict[str, list[int]]
    """Shapes of the arrays by name: x, y, and those of a test part."""
    classes: int | None
    """Null in regression."""
    sha256: str | None
    """Of the arrays' bytes, where it is known before they are loaded; or of the file that keeps what was added."""
    available: bool
    """Whether the server has it at hand; workers say it for themselves (`GET /workers`)."""
    created_at: datetime | None
    """When a user added it."""


class DatasetList(Model):
    """Every data set."""

    items: list[Dataset]
    next: str | None = None
