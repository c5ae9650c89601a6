"""A cell: one point of a sweep, hence one training run, with everything resolved to plain numbers."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from batchlab.batch_plan import BatchPlan, Counted, Run
from batchlab.batch_schedules import BatchSchedule, clock_of, plan_of
from batchlab.batch_schedules import Constant as Unchanged
from batchlab.datasets import Arrays, Dataset, Info
from batchlab.init import Init
from batchlab.keeping import Keep
from batchlab.kinds import Strict
from batchlab.methods.adversaries import Adversary
from batchlab.methods.augmentations import Augmentation
from batchlab.methods.averages import Average
from batchlab.methods.steps import Clip, Proximal
from batchlab.models import Model
from batchlab.optimizers import Optimizer
from batchlab.pretraining import Pretraining
from batchlab.probes import Probe
from batchlab.schedules import Clock, Floats, Schedule, momentum_factors

Loss = Literal["cross_entropy", "half_squared_error", "output"]
Reduction = Literal["mean", "sum"]
Precision = Literal["float32", "float64", "bfloat16"]
Shuffle = Literal["epoch", "once", "never"]


class Target(Strict):
    """A value to reach: the first evaluation that reaches it is recorded, and may end the cell."""

    metric: Literal["train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    """What is watched at each evaluation."""
    at_least: float | None = None
    """Reached by this value or a larger one."""
    at_most: float | None = None
    """Reached by this value or a smaller one."""
    stop: bool = False
    """Whether the cell ends there, as succeeded."""

    @model_validator(mode="after")
    def _one(self) -> "Target":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give one of at_least and at_most")
        return self

    @property
    def bound(self) -> tuple[float, int]:
        """The value to reach, and 1 where larger ones are good as well, -1 where smaller ones are."""
        return (self.at_most or 0.0, -1) if self.at_least is None else (self.at_least, 1)

    def reached(self, value: float) -> bool:
        """Whether `value` of the metric is good enough."""
        bound, sign = self.bound
        return sign * value >= sign * bound


class Limits(Strict):
    """Bounds on a cell."""

    seconds_per_cell: Annotated[float, Field(gt=0)] | None = None
    """Training time after which a cell fails with the cause `timeout`."""


class Cell(Strict):
    """One training run. `ordinal` counts the cells of the experiment from 0 in the order of the axes."""

    ordinal: int
    variant: str | None = None
    batch_entry: int | str
    """The batch size as written."""
    batch_size: int
    """The batch size in rows."""
    lr: float
    momentum: float | None
    seed: int
    params: dict[str, float] = Field(default_factory=dict)
    """The optimizer numbers that vary within the experiment."""
    dataset: Dataset
    model: Model
    optimizer: Optimizer
    schedule: Schedule
    momentum_schedule: Schedule | None = None
    batch_schedule: BatchSchedule = Unchanged()
    probes: tuple[Probe, ...]
    steps: int
    """Updates in the whole run."""
    evaluate_every: int
    """Evaluate after each update whose number is a multiple of this (also at 0 and after the last)."""
    evaluate_epochs: int | None = None
    """Or, where the batch size changes: after each update that completes so many passes over the training rows."""
    ends_at: int | None = None
    """Rows after which the run ends, where the batch size changes and the budget counts rows."""
    split_seed: int | None = None
    shuffle: Shuffle = "epoch"
    init: Init = "default"
    pretraining: Pretraining | None = None
    loss: Loss = "cross_entropy"
    reduction: Reduction = "mean"
    label_smoothing: float = 0.0
    clip: Clip | None = None
    proximal: Proximal | None = None
    adversarial: Adversary | None = None
    augment: tuple[Augmentation, ...] = ()
    average: Average | None = None
    precision: Precision = "float32"
    device: str = "auto"
    engine: str = "auto"
    isolated: bool = False
    limits: Limits = Limits()
    target: Target | None = None
    checkpoints: tuple[Keep, ...] = ()

    @property
    def info(self) -> Info:
        """Static facts about the data: rows, shapes, classes."""
        info: Info = self.dataset.info()
        return info

    @property
    def datasets(self) -> tuple[Any, ...]:
        """All that must be loaded: its data set, and that of its pre-training."""
        return (self.dataset,) if self.pretraining is None else (self.dataset, self.pretraining.dataset)

    def load(self, load: Callable[[Dataset], Arrays]) -> Arrays:
        """Its data set's arrays as `load` gives them, with those of its pre-training."""
        data, *before = map(load, self.datasets)
        return replace(data, before=before[0]) if before else data

    @property
    def rows(self) -> int:
        """Training rows, N."""
        return int(self.dataset.train_rows())

    @property
    def steps_per_epoch(self) -> int:
        """ceil(N / B) for the batch size of the sweep: the last batch of an epoch may be shorter."""
        return math.ceil(self.rows / self.batch_size)

    @property
    def varies(self) -> bool:
        """Whether the batch size changes in the run."""
        return bool(self.batch_schedule.kind != "constant")

    @property
    def run(self) -> Run:
        """What the batch schedule is measured against."""
        counted: Counted = "updates" if self.ends_at is None else "rows"
        return Run(self.rows, self.batch_size, self.steps if self.ends_at is None else self.ends_at, counted)

    @property
    def batches(self) -> BatchPlan:
        """The size of every batch, known beforehand."""
        return plan_of(self.batch_schedule, self.run)

    def examples(self, steps: int) -> int:
        """Rows seen after `steps` updates."""
        return self.batches.examples(steps)

    def rates(self, done: Floats) -> Floats:
        """Learning rates of the updates that follow `done` finished ones: float64, same shape."""
        done = np.asarray(done, dtype=np.float64)
        factors: Floats = self.schedule.factors(done, self.clock)
        if self.varies:
            factors = factors * self.batch_schedule.rate_factors(done, self.batches, self.run)
        return self.lr * factors

    def momenta(self, done: Floats) -> Floats | None:
        """Momenta of the updates that follow `done` finished ones, shape as theirs; None without a momentum."""
        if self.momentum is None:
            return None
        return self.momentum * momentum_factors(self.schedule, self.momentum_schedule, done, self.clock)

    @property
    def clock(self) -> Clock:
        """What the schedules' lengths are measured against."""
        return clock_of(self.batch_schedule, self.run)

    @property
    def queue(self) -> Literal["any", "cpu", "gpu"]:
        """Which workers may train it."""
        if self.device == "auto":
            return "cpu" if self.engine == "compiled" else "any"
        return "cpu" if self.device == "cpu" else "gpu"

    @property
    def seed_of_split(self) -> int:
        """What draws which rows are held out."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def stack_key(self) -> str:
        """Cells of an experiment with equal keys may share a cohort (an engine that takes one at a time aside)."""
        from batchlab.engines import stack_key

        return stack_key(self)

    def describe(self) -> dict[str, Any]:
        """The resolved point, as digests and results name it."""
        return {
            "variant": self.variant,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "momentum": self.momentum,
            "seed": self.seed,
            "params": self.params,
        }
