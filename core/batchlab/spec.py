"""The spec: what a script posts. Strict: unknown keys are refused, and every fault is named with its path.

`parse_spec` is the door: JSON in, a checked ExperimentSpec out, or a SpecError that lists every fault.
"""

import json
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from batchlab.cell import Limits, Loss, Precision, Reduction, Shuffle, Target
from batchlab.datasets import Dataset
from batchlab.errors import Fault, Loc, SpecError
from batchlab.kinds import Strict
from batchlab.lr_rules import LrRule
from batchlab.models import Init, Model
from batchlab.optimizers import Optimizer, Sgd
from batchlab.probes import GradNorm, ParamNorm, Probe, UpdateNorm
from batchlab.schedules import Constant, Schedule

Count = Annotated[int, Field(ge=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Text = Annotated[str, Field(max_length=200)]
BatchText = Annotated[str, Field(pattern=r"^(full|\d+(\.\d+)?%)$")]


class Budget(Strict):
    """How long a cell trains: one of epochs, steps or examples."""

    epochs: Count | None = None
    steps: Count | None = None
    """Updates."""
    examples: Count | None = None
    """Rows seen: the smallest number of updates that sees at least so many."""

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        if sum(v is not None for v in (self.epochs, self.steps, self.examples)) != 1:
            raise ValueError("give exactly one of epochs, steps, examples")
        return self


class Evaluate(Strict):
    """When both splits are evaluated: every n updates or every n epochs (default 1); also at 0 and after the last."""

    every_steps: Count | None = None
    every_epochs: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> "Evaluate":
        if self.every_steps is not None and self.every_epochs is not None:
            raise ValueError("give one of every_steps and every_epochs")
        return self


class ExperimentSpec(Strict):
    """A sweep: every combination of its axes is a cell, trained as a run of its own."""

    name: Text = "experiment"
    tags: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    note: Annotated[str, Field(max_length=20_000)] = ""
    study: Text | None = None
    """The preset this came from: chooses its plots and claims."""
    dataset: Dataset
    model: Model
    batch_sizes: Annotated[tuple[Count | BatchText, ...], Field(min_length=1)]
    """Rows per update: numbers, percentages of the training rows such as "10%", or "full"."""
    lr: LrRule
    momentum: Momentum | Annotated[tuple[Momentum, ...], Field(min_length=1)] = 0.0
    """Heavy-ball (or Nesterov) momentum; a list makes an axis."""
    optimizer: Optimizer = Sgd()
    schedule: Schedule = Constant()
    budget: Budget
    seeds: Count | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = 1
    """A count n for the seeds 0 .. n-1, or a list of seeds."""
    evaluate: Evaluate = Evaluate()
    probes: tuple[Probe, ...] = (GradNorm(), UpdateNorm(), ParamNorm())
    shuffle: Shuffle = "epoch"
    split_seed: Annotated[int, Field(ge=0)] | None = None
    init: Init = "default"
    loss: Loss | None = None
    """Default: cross_entropy for classes, half_squared_error for numbers."""
    reduction: Reduction = "mean"
    precision: Precision = "float32"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    engine: Text = "auto"
    isolated: bool = False
    limits: Limits = Limits()
    target: Target | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    variants: tuple[dict[str, Any], ...] = ()
    """Named partial specs, each merged (RFC 7396) over the rest: arms that differ in anything."""
