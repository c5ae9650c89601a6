"""What the smaller endpoints take as a body. (The large one, the spec, is core's.)"""

from typing import Annotated, Any

from batchlab.batch_plan import BatchPlan, Run
from batchlab.batch_schedules import BatchSchedule
from batchlab.batch_schedules import Constant as Unchanged
from batchlab.kinds import Strict
from batchlab.schedules import Constant, Schedule
from pydantic import Field, model_validator

Text = Annotated[str, Field(max_length=200)]
# JSON has one kind of number: 3.0 is an integer too.
Count = Annotated[int, Field(ge=1, le=10**12, strict=False)]


MOST_ROWS = 10**12


class ExperimentPatch(Strict):
    """What may be changed of a stored experiment; what is left out stays."""

    name: Text | None = None
    tags: Annotated[tuple[Text, ...], Field(max_length=20)] | None = None
    note: Annotated[str, Field(max_length=20_000)] | None = None


class MoreSeeds(Strict):
    """How many seeds to add to every point of the sweep."""

    add: Annotated[int, Field(ge=1, le=10_000, strict=False)]


class AnalysisRequest(Strict):
    """What is to be computed, and from which cells."""

    kind: Text
    """As in the catalogue's `analyses`."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Its parameters; what is left out has its default."""
    cells: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000)] | None = None
    """Ids of cells that succeeded; all of them where null. For an analysis of two: its pair, in this order."""
    checkpoint: Annotated[int, Field(ge=0, le=10**12, strict=False)] | Text = "last"
    """Which kept weights: a label (last, best_val_loss, best_val_accuracy), or after how many updates."""


class Login(Strict):
    """The token, to be exchanged for a cookie."""

    token: Annotated[str, Field(max_length=1000)]


class PreviewRequest(Strict):
    """A schedule to be drawn without training."""

    schedule: Schedule = Constant()
    lr: Annotated[float, Field(gt=0)]
    """The rate that the rule gave: the schedule multiplies it."""
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    momentum_schedule: Schedule | None = None
    """The factor on the momentum; default: 1, or as the schedule of the rate has it."""
    steps: Count
    """Updates in the whole run."""
    steps_per_epoch: Count
    batch_schedule: BatchSchedule = Unchanged()
    """How the batch size changes; the run then sees the rows of `steps` updates at `batch_size`."""
    batch_size: Count | None = None
    """Rows per update before the batch schedule; needed where there is one."""
    rows: Count | None = None
    """Training rows; default: as many as `steps_per_epoch` full batches have."""
    points: Annotated[int, Field(ge=2, le=10_000, strict=False)] = 1000
    """How many updates to show at most; the first and the last are always there."""

    @model_validator(mode="after")
    def _fits(self) -> "PreviewRequest":
        if self.batch_schedule.adaptive:
            raise ValueError("this batch schedule is decided while training: there is nothing to draw")
        if self.batch_schedule.kind != "constant" and self.batch_size is None:
            raise ValueError("a batch schedule needs a batch_size: add it")
        if self.steps_per_epoch * (self.batch_size or 1) > MOST_ROWS:
            raise ValueError(f"steps_per_epoch times batch_size is more than {MOST_ROWS} rows: lower one of them")
        if self.rows is not None and -(-self.rows // (self.batch_size or 1)) != self.steps_per_epoch:
            raise ValueError("rows over batch_size, rounded up, must be steps_per_epoch")
        return self

    @property
    def run(self) -> Run:
        """The run that is drawn, by the rows that it sees."""
        size = self.batch_size or 1
        rows = self.rows or self.steps_per_epoch * size
        seen = BatchPlan.of(Run(rows, size, self.steps, "updates"), ()).examples(self.steps)
        return Run(rows, size, seen, "rows")
