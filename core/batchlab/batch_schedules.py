"""Batch schedules: how the batch size changes while a cell trains, from the batch size of the sweep on.

A batch schedule lists where the size changes; `batch_plan` makes the updates of it. Where it trades the rate for the
batch it also gives factors on the rate.
"""

from abc import abstractmethod
from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from batchlab.batch_plan import BatchPlan, Change, Run, ceil_div
from batchlab.errors import SpecError
from batchlab.kinds import Kind, union
from batchlab.schedules import Clock, Floats, Schedule, Unit
from batchlab.schedules.decays import Length, Milestones, ascending

Share = Annotated[float, Field(gt=0, le=1)]
Size = Annotated[int, Field(ge=1)]
MOST_TICKS = 10**7
"""Updates that a batch schedule looks through to find its changes."""
MOST_CHANGES = 10**5
"""Changes of the batch size in a run, at the most."""


def _check_count(changes: float, field: str) -> None:
    if changes > MOST_CHANGES:
        raise SpecError.at((field,), f"changes the batch size more than {MOST_CHANGES} times: choose fewer")


class BaseBatchSchedule(Kind):
    """What the batch schedules share. Lengths in fractions are measured as the budget is: in rows, or in updates."""

    family: ClassVar[str] = "batch_schedules"
    adaptive: ClassVar[bool] = False
    """Whether the sizes are found while training: `changes` then tells of none."""

    @abstractmethod
    def changes(self, run: Run) -> Iterable[Change]:
        """Where the batch size changes, in order. SpecError (paths relative to it) where it does not fit the run."""

    def rate_factors(self, done: Floats, plan: BatchPlan, run: Run) -> Floats:
        """Factors on the rate of the updates that follow `done` finished ones of this schedule's plan, same shape."""
        return plan.rate_factors(done)

    def even_factors(self, done: Floats, plan: BatchPlan, run: Run) -> Floats:
        """The factors of the run that this one stands for, whose batch size stays, after as many rows; same shape."""
        return np.ones_like(done)


class Constant(BaseBatchSchedule):
    """The batch size stays."""

    kind: Literal["constant"] = "constant"

    def changes(self, run: Run) -> Iterable[Change]:
        return ()


class Steps(BaseBatchSchedule):
    """A size for each milestone, written out."""

    kind: Literal["steps"] = "steps"
    milestones: Milestones
    """Where the size changes, ascending, in `unit`."""
    sizes: Annotated[tuple[Size, ...], Field(min_length=1)]
    """The size from each milestone on, in rows."""
    unit: Unit = "fraction"

    @model_validator(mode="after")
    def _fits(self) -> "Steps":
        ascending(self.milestones)
        if len(self.sizes) != len(self.milestones):
            raise ValueError(f"{len(self.milestones)} milestones need as many sizes")
        return self

    def changes(self, run: Run) -> Iterable[Change]:
        for i, size in enumerate(self.sizes):
            if size > run.rows:
                raise SpecError.at(("sizes", i), f"more than the {run.rows} training rows: use at most {run.rows}")
        places = (run.place(milestone, self.unit) for milestone in self.milestones)
        return [Change(at, size, counted) for (at, counted), size in zip(places, self.sizes, strict=True)]


class _Growing(BaseBatchSchedule):
    maximum: Share = 1.0
    """The largest batch, as a share of the training rows."""

    def _most(self, run: Run) -> int:
        """The largest batch in rows; SpecError where the run starts above it."""
        most = run.share(self.maximum)
        if most < run.batch_size:
            msg = f"is {most} rows, fewer than the batch size {run.batch_size}: raise it"
            raise SpecError.at(("maximum",), msg)
        return most


class Growth(_Growing):
    """Multiply the size by `factor` at milestones, or after every stretch (Smith et al. 2018; GeoDamp).

    Beyond the maximum the growth is left out or, with `transfer`, given to the rate: it falls by what the batch lacks.
    """

    kind: Literal["growth"] = "growth"
    factor: Annotated[float, Field(gt=1)] = 2.0
    milestones: Milestones | None = None
    """Where it grows, ascending, in `unit`."""
    every: Length | None = None
    """Or: the length of the stretches after which it grows, in `unit`."""
    unit: Unit = "fraction"
    transfer: bool = False
    """Whether the rate falls where the batch can grow no more."""

    @model_validator(mode="after")
    def _one(self) -> "Growth":
        if (self.milestones is None) == (self.every is None):
            raise ValueError("give one of milestones and every")
        ascending(self.milestones or ())
        return self

    def changes(self, run: Run) -> Iterable[Change]:
        most = self._most(run)
        milestones = (i * (self.every or 0.0) for i in count(1)) if self.milestones is None else self.milestones
        for i, milestone in enumerate(milestones, start=1):
            _check_count(i, "every")
            at, counted = run.place(milestone, self.unit)
            lacking = most / run.batch_size * self.factor**-i
            size = most if lacking <= 1 else round(run.batch_size * self.factor**i)
            yield Change(at, size, counted, min(1.0, lacking) if self.transfer else 1.0)
            if size == most and not self.transfer:
                return


class Linear(_Growing):
    """Add `rate` rows at each update: `B + floor(rate * updates)` (PadaDamp; Sievert 2021)."""

    kind: Literal["linear"] = "linear"
    rate: Annotated[float, Field(gt=0)] = 1e-3
    """Rows per update."""

    def changes(self, run: Run) -> Iterable[Change]:
        _check_count(self._most(run) - run.batch_size, "maximum")
        rows = np.arange(1, self._most(run) - run.batch_size + 1)
        at = np.ceil(rows / self.rate - 1e-9)
        last = np.append(at[1:] != at[:-1], True) if len(at) else np.zeros(0, bool)  # of several rows at one update
        return [Change(int(k), run.batch_size + int(n), "updates") for k, n in zip(at[last], rows[last], strict=True)]


class Warmup(BaseBatchSchedule):
    """Begin with small batches, then take those of the sweep: row by row over `length`, or at once at its end."""

    kind: Literal["warmup"] = "warmup"
    length: Length
    """The warm-up, in `unit`."""
    unit: Unit = "fraction"
    start: Share = 1 / 8
    """The first size as a share of the batch size; at least one row."""
    shape: Literal["gradual", "constant"] = "constant"

    def changes(self, run: Run) -> Iterable[Change]:
        first = max(1, round(self.start * run.batch_size))
        length, counted = run.place(self.length, self.unit)
        if self.shape == "constant":
            return [Change(0, first, counted), Change(length, run.batch_size, counted)]
        more = run.batch_size - first
        _check_count(more, "shape")
        rising = [Change(length * (i - 0.5) / more, first + i, counted) for i in range(1, more + 1)]
        return [Change(0, first, counted), *rising]


class InsteadOfDecay(_Growing):
    """Grow the batch wherever a schedule would lower the rate (Smith et al. 2018).

    The rate keeps the highest factor that `schedule` has had; the batch takes the rest, so that the rate over the batch
    size, hence the noise of a step, is that of a run under `schedule` with the first batch size after as many rows. At
    the maximum the rate decays after all. The experiment's own schedule multiplies the rate on top: leave it constant.
    """

    kind: Literal["instead_of_decay"] = "instead_of_decay"
    schedule: Schedule
    """What the rate would follow."""

    def changes(self, run: Run) -> Iterable[Change]:
        most, clock = self._most(run), run.clock
        if run.counted == "updates":
            raise SpecError.at((), "needs a budget in epochs or examples: it compares runs after equal rows")
        if clock.steps > MOST_TICKS:
            raise SpecError.at((), f"looks through at most {MOST_TICKS} updates: {clock.steps} are too many")
        done = np.arange(clock.steps, dtype=np.float64)
        factors: Floats = self.schedule.factors(done, clock)
        sizes = _matched(run.batch_size, factors, most)
        new = np.flatnonzero(np.diff(sizes, prepend=run.batch_size))
        seen = run.even.seen(new)
        return [Change(int(at), int(size)) for at, size in zip(seen, sizes[new], strict=True)]

    def rate_factors(self, done: Floats, plan: BatchPlan, run: Run) -> Floats:
        return np.asarray(self.even_factors(done, plan, run) * plan.sizes(done) / run.batch_size)

    def even_factors(self, done: Floats, plan: BatchPlan, run: Run) -> Floats:
        factors: Floats = self.schedule.factors(plan.pace(done), run.clock)
        return factors


def _matched(batch_size: int, factors: Floats, most: int) -> Floats:
    """Batch sizes that make up for a rate below the highest so far."""
    highest = np.maximum.accumulate(factors)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.where(factors < highest, batch_size * highest / factors, float(batch_size))
    return np.minimum(np.round(wanted), most)


class Adaptive(_Growing):
    """A batch that grows when the gradient of a batch is found too noisy, and never shrinks."""

    adaptive: ClassVar[bool] = True
    theta: Annotated[float, Field(gt=0)] = 1.0
    """The noise that is borne, relative to the gradient: the smaller, the earlier the batch grows."""
    every: Size = 10
    """Updates between two looks."""
    sample: Annotated[int, Field(ge=2, le=1024)] = 32
    """Rows of the batch whose gradients are taken one by one, at most."""

    def changes(self, run: Run) -> Iterable[Change]:
        self._most(run)
        return ()

    @abstractmethod
    def needed(self, spread: float, along: float, norm: float) -> float:
        """The batch size that passes the test.

        `spread`: tr(Sigma), the variance of one row's gradient over all numbers; `along`: the variance of its inner
        product with the batch's gradient; `norm`: the norm of that gradient.
        """

    def grown(self, size: int, run: Run, measured: tuple[float, float, float]) -> int:
        """The batch size after a look at a batch of `size`: what the test needs, within the maximum."""
        needed = self.needed(*measured)
        most = self._most(run)
        return max(size, most if not needed < most else int(np.ceil(needed)))


class NormTest(Adaptive):
    """Grow until `tr(Sigma) / (B |g|^2) <= theta^2` (Byrd et al. 2012)."""

    kind: Literal["norm_test"] = "norm_test"

    def needed(self, spread: float, along: float, norm: float) -> float:
        return _over(spread, self.theta**2 * norm**2)


class InnerProductTest(Adaptive):
    """Grow until `var(g_i . g) / (B |g|^4) <= theta^2` (Bollapragada et al. 2018)."""

    kind: Literal["inner_product_test"] = "inner_product_test"

    def needed(self, spread: float, along: float, norm: float) -> float:
        return _over(along, self.theta**2 * norm**4)


def _over(noise: float, borne: float) -> float:
    """A batch size; endless where the gradient has vanished, or is not finite."""
    return noise / borne if borne > 0 and np.isfinite(noise) else np.inf


BatchSchedule: Any = union(
    "batch_schedules", Constant, Steps, Growth, Linear, Warmup, InsteadOfDecay, NormTest, InnerProductTest
)


@lru_cache(maxsize=4096)
def plan_of(schedule: Any, run: Run) -> BatchPlan:
    """The batches of a run under a schedule. SpecError (paths relative to it) where the two do not fit."""
    return BatchPlan.of(run, schedule.changes(run))


def clock_of(schedule: Any, run: Run) -> Clock:
    """What the lengths of the schedules of rate and momentum are measured against in such a run."""
    plan, per_epoch = plan_of(schedule, run), ceil_div(run.rows, run.batch_size)
    if schedule.kind == "constant":
        return Clock(plan.steps, per_epoch)
    if run.counted == "updates":
        return Clock(plan.steps, per_epoch, plan.pace, paced=("epochs",))
    return Clock(run.even.steps, per_epoch, plan.pace, planned=plan.steps)
