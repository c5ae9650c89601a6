"""The spec of an experiment: what a script posts. Strict: unknown keys are refused.

What depends on several fields at once (the resolved batch sizes, say) is checked by `batchlab.sweep`.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from batchlab.analyses import Analysis
from batchlab.batch_plan import Run
from batchlab.batch_schedules import BatchSchedule
from batchlab.batch_schedules import Constant as Unchanged
from batchlab.cell import Limits, Loss, Precision, Reduction, Shuffle, Target
from batchlab.claims.claim import Claim
from batchlab.datasets import Dataset
from batchlab.init import Init
from batchlab.keeping import Keep, Last
from batchlab.kinds import Many, OneOrMany, Strict, one_or_many
from batchlab.lr_rules import LrRule
from batchlab.methods.adversaries import Adversary
from batchlab.methods.augmentations import Augmentation
from batchlab.methods.averages import Average
from batchlab.methods.steps import Clip, Proximal
from batchlab.models import Model
from batchlab.optimizers import Optimizer, Sgd
from batchlab.pretraining import Pretraining
from batchlab.probes import GradNorm, ParamNorm, Probe, UpdateNorm
from batchlab.schedules import Constant, Schedule

Count = Annotated[int, Field(ge=1, le=10**12)]
LARGEST_SEED = 2**32 - 1
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Text = Annotated[str, Field(max_length=200)]
PERCENT = r"^(full|[0-9]{1,3}(\.[0-9]{1,9})?%)$"


def _batch_form(value: Any) -> Literal["rows", "text"] | None:
    if isinstance(value, str):
        return "text" if re.fullmatch(PERCENT, value) else None
    return "rows" if isinstance(value, int) and not isinstance(value, bool) else None


BatchSize = Annotated[
    Annotated[Count, Tag("rows")] | Annotated[str, Field(pattern=PERCENT), Tag("text")],
    Discriminator(
        _batch_form,
        custom_error_type="batch_size",
        custom_error_message='give a number of rows, a percentage such as "10%", or "full"',
    ),
]
Variant = dict[str, Any]


class Budget(Strict):
    """How long a cell trains: one of epochs, steps or examples."""

    epochs: Count | None = None
    """Passes over the training rows."""
    steps: Count | None = None
    """Updates."""
    examples: Count | None = None
    """Rows seen: the smallest number of updates that sees at least so many."""

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        if sum(v is not None for v in (self.epochs, self.steps, self.examples)) != 1:
            raise ValueError("give exactly one of epochs, steps, examples")
        return self

    def run(self, rows: int, batch_size: int) -> Run:
        """A run over `rows` training rows that this pays for."""
        if self.steps is not None:
            return Run(rows, batch_size, self.steps, "updates")
        return Run(rows, batch_size, (self.epochs or 0) * rows if self.examples is None else self.examples, "rows")

    def updates(self, rows: int, batch_size: int) -> int:
        """Updates in a run over `rows` training rows whose batch size stays."""
        per_epoch = math.ceil(rows / batch_size)
        if self.examples is not None:
            epochs, rest = divmod(self.examples, rows)
            return epochs * per_epoch + math.ceil(rest / batch_size)
        return self.steps if self.steps is not None else (self.epochs or 0) * per_epoch


class Evaluate(Strict):
    """When both splits are evaluated: every n updates or every n epochs (default 1); also at 0 and after the last."""

    every_steps: Count | None = None
    """After each update whose number is a multiple of this."""
    every_epochs: Count | None = None
    """After each so many passes over the training rows."""

    @model_validator(mode="after")
    def _one(self) -> "Evaluate":
        if self.every_steps is not None and self.every_epochs is not None:
            raise ValueError("give one of every_steps and every_epochs")
        return self

    def updates(self, steps_per_epoch: int) -> int:
        """Updates between two evaluations."""
        return self.every_steps or (self.every_epochs or 1) * steps_per_epoch


class ExperimentSpec(Strict):
    """A sweep: every combination of its axes is a cell, trained as a run of its own."""

    name: Text = "experiment"
    """What lists call it."""
    tags: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    """Words to find it by."""
    note: Annotated[str, Field(max_length=20_000)] = ""
    """Anything worth remembering."""
    study: Text | None = None
    """The preset this came from: chooses its plots and claims."""
    dataset: Dataset
    """What is learnt."""
    model: Model
    """The network that learns it."""
    batch_sizes: Annotated[tuple[BatchSize, ...], Field(min_length=1)]
    """Rows per update: numbers, percentages of the training rows such as "10%", or "full"."""
    lr: LrRule
    """The rule by which each batch size gets its learning rate."""
    momentum: OneOrMany[Momentum] = 0.0
    """Heavy-ball (or Nesterov) momentum; a list makes an axis."""
    optimizer: Optimizer = Sgd()
    """How a gradient becomes a step; each of its numbers may be a list, which makes an axis."""
    schedule: Schedule = Constant()
    """The factor on the rate, update by update."""
    momentum_schedule: Schedule | None = None
    """The factor on the momentum, update by update; default: 1, or as the schedule of the rate has it (one_cycle)."""
    batch_schedule: BatchSchedule = Unchanged()
    """How the batch size changes in a run; default: it stays."""
    budget: Budget
    """How long each cell trains."""
    seeds: Annotated[Annotated[Count, Tag("one")] | Annotated[Many[Seed], Tag("many")], Discriminator(one_or_many)] = 1
    """A count n for the seeds 0 .. n-1, or a list of seeds."""
    evaluate: Evaluate = Evaluate()
    """How often the training and validation rows are evaluated."""
    probes: tuple[Probe, ...] = (GradNorm(), UpdateNorm(), ParamNorm())
    """What is measured at every update, beside the loss and the time."""
    shuffle: Shuffle = "epoch"
    """How often the rows get a new order: every epoch, once, or never."""
    split_seed: Seed | None = None
    """One split for all seeds (default: each seed draws its own)."""
    init: Init = "default"
    """The scheme of the initial weights: a name, or `{"scheme": name, "scale": factor}`."""
    pretraining: Pretraining | None = None
    """Training on other data that comes first, once for all cells: each begins with its weights instead of drawn ones,
    and fine-tunes them. Its updates are neither counted, measured nor timed."""
    loss: Loss | None = None
    """Default: cross_entropy for classes, half_squared_error for numbers, output (what the model gives is the loss) for
    surfaces."""
    reduction: Reduction = "mean"
    """Whether the loss that is minimised is the mean or the sum over the rows of a batch."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Part of each label that is spread evenly over all classes in what is minimised (Szegedy et al. 2016). Losses at
    evaluations stay plain cross-entropies."""
    clip: Clip | None = None
    """A bound on gradients: `{"norm": 1.0}` or `{"value": 0.1}`."""
    proximal: Proximal | None = None
    """Conservative training: several steps on each batch, held near where the update began."""
    adversarial: Adversary | None = None
    """Training on rows that were moved against the network as well."""
    augment: Annotated[tuple[Augmentation, ...], Field(max_length=10)] = ()
    """Changes of the training pictures, new in every epoch, one after the other; evaluations see none."""
    average: Average | None = None
    """An average of weights with which the run ends; default: it ends with its last weights."""
    precision: Precision = "float32"
    """Of weights and arithmetic; with bfloat16 the weights stay float32."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)$")] = "auto"
    """Where to train: auto takes a GPU where there is one."""
    engine: Text = "auto"
    """Which program trains: auto takes the fastest that can."""
    isolated: bool = False
    """Whether nothing else may run on the machine meanwhile, for honest times."""
    limits: Limits = Limits()
    """Bounds on each cell."""
    target: Target | None = None
    """A value to reach."""
    checkpoints: Annotated[tuple[Keep, ...], Field(max_length=20)] = ()
    """Which weights of each cell are kept, for what is computed from them later: default none. Any but the last are
    kept by the reference engine."""
    analyses: Annotated[tuple[Analysis, ...], Field(max_length=20)] = ()
    """What is computed from the trained cells: from each that succeeds, or, where it takes several, once all have ended
    (from the smallest and the largest batch of each seed; from all). The last weights are kept for it."""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    """Larger is served first."""
    claims: Annotated[tuple[Claim, ...], Field(max_length=100)] = ()
    """Sentences to be judged by what is measured (`GET /experiments/{id}/verdicts`), beside those of the study."""
    variants: Annotated[tuple[Variant, ...], Field(max_length=100)] = ()
    """Named partial specs, each merged (RFC 7396) over the rest: arms that differ in anything."""

    @property
    def kept(self) -> tuple[Any, ...]:
        """The policies for kept weights, with what the analyses need."""
        missing = any(analysis.needs == "weights" for analysis in self.analyses) and Last() not in self.checkpoints
        return (*self.checkpoints, Last()) if missing else self.checkpoints
