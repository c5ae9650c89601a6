"""What the server answers, as pydantic models. The server answers with these very classes; a client reads with them.

Ids are text, times are UTC, and a number that is not finite arrives as None. Fields may be added in later versions:
unknown ones are ignored when reading.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = float | None
"""A number; None where it is not finite or does not exist."""
Status = Literal["queued", "running", "stalled", "paused", "succeeded", "failed", "cancelled"]
CellStatus = Literal["queued", "running", "succeeded", "diverged", "failed", "cancelled"]
Links = dict[str, str]


class Model(BaseModel):
    """What the models share: docstrings of fields are their descriptions in the OpenAPI document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Fault(Model):
    """One thing wrong with what was sent."""

    loc: list[str | int]
    """Where: a path of keys and indices."""
    msg: str
    """What is wrong, and what to do about it."""
    pointer: str
    """The same path as a JSON Pointer (RFC 6901)."""


class Problem(Model):
    """An error (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(extra="allow")

    type: str
    """A stable URI that names the kind of problem."""
    title: str
    status: int
    detail: str
    request_id: str
    """The id under which the server's log knows this request."""
    errors: list[Fault] | None = None


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
    storage: int
    """Bytes of series in the database, about."""
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


class CellPage(Model):
    """A page of cells by ordinal."""

    items: list[Cell]
    next: str | None


class Estimate(Model):
    """A mean over seeds."""

    mean: Number
    sd: Number
    """Standard deviation of the sample (n - 1); null for one seed."""
    ci95: tuple[float, float] | None
    """Student-t interval for the mean; null for one seed."""


class Group(Model):
    """The cells of one point of the sweep that differ only in their seed; its further keys are metrics."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Estimate] = Field(init=False)

    by: dict[str, Any]
    """variant, batch_size, lr, momentum and the further axes."""
    n: int
    """Succeeded cells: what the means are over."""
    n_diverged: int
    n_failed: int


class Results(Model):
    """Results by cell, and averaged over seeds."""

    cells: list[Cell]
    groups: list[Group]


class CurveSeries(Model):
    """One metric of one cell (or, with `group=seed`, of one point of the sweep), thinned to the asked points.

    `x`, `mean`, `min` and `max` have one entry a point; so have `n`, `lo` and `hi`, which only `group=seed` fills.
    """

    cell: str | None
    metric: str
    variant: str | None
    batch_size: int
    lr: float
    momentum: float | None
    seed: int | None
    params: dict[str, float] = {}
    x: list[float]
    mean: list[Number]
    min: list[Number]
    max: list[Number]
    n_raw: int
    """Values behind the points."""
    level: int
    """A point covers 8 ** level updates."""
    exact: bool
    """Whether every stored value is a point."""
    diverged_at: int | None
    """The update whose loss was not finite."""
    n: list[int] | None = None
    """Seeds behind each point."""
    lo: list[Number] | None = None
    """Lower end of the 95 % interval over seeds."""
    hi: list[Number] | None = None


class Curves(Model):
    """The asked series."""

    series: list[CurveSeries]


class Digest(Model):
    """SHA-256 of everything an experiment measured but times and places: equal digests, equal experiments."""

    class CellDigest(Model):
        """The digest of one cell."""

        ordinal: int
        digest: str

    digest: str
    cells: list[CellDigest]


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
    links: Links


class StudyList(Model):
    """Every study."""

    items: list[Study]
    next: str | None = None


class SchedulePreview(Model):
    """What a schedule does, without training: one entry a point."""

    x: list[int]
    """Numbers of updates, from 1."""
    lr: list[Number]
    momentum: list[Number] | None


class Dataset(Model):
    """Facts about a data set."""

    name: str
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
    """Of the arrays' bytes, where it is known before they are loaded."""
    available: bool
    """Whether the server has it at hand; workers say it for themselves (`GET /workers`)."""


class DatasetList(Model):
    """Every data set."""

    items: list[Dataset]
    next: str | None = None


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
    parts: dict[str, Part] = {}


class StatusEvent(Model):
    """`event: status`: the experiment's status has changed (and the first event of every stream)."""

    status: Status
    error: str | None


class CurvePoints(Model):
    """New points of one series: what `GET .../curves` would add after the last ones sent."""

    cell: str
    metric: str
    x: list[float]
    mean: list[Number]
    min: list[Number]
    max: list[Number]


class CurvesEvent(Model):
    """`event: curves`: the points since the last event (or since `Last-Event-ID`)."""

    series: list[CurvePoints]


class RewindEvent(Model):
    """`event: rewind`: drop the points of this cell after update `step`; they are coming again."""

    cell: str
    step: int


class ByeEvent(Model):
    """`event: bye`: the server ends the stream (`stopping`), or nothing will ever follow (`finished`)."""

    reason: Literal["stopping", "finished"]
