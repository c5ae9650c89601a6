"""Schedules that fall, at once or little by little, and stay down."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from batchlab.schedules.base import TOUCH, BaseSchedule, Clock, Floats, Unit

Length = Annotated[float, Field(gt=0)]
Milestones = Annotated[tuple[float, ...], Field(min_length=1)]
Factor = Annotated[float, Field(ge=0)]


def ascending(milestones: tuple[float, ...]) -> None:
    """ValueError where milestones are not ascending, different and not negative."""
    if any(m < 0 for m in milestones) or list(milestones) != sorted(set(milestones)):
        raise ValueError("milestones must be ascending, different and not negative")


def passed(milestones: tuple[float, ...], unit: Unit, done: Floats, clock: Clock) -> Floats:
    """How many milestones lie behind after `done` updates; the one that is just reached does."""
    at = np.array([clock.length(m, unit) for m in milestones])
    # The half-open comparison makes the update that follows exactly `at` finished ones the first slow one.
    return np.searchsorted(at, clock.ticks(done, unit) + TOUCH, side="right").astype(np.float64)


class Constant(BaseSchedule):
    """The rate stays as the rule gave it."""

    kind: Literal["constant"] = "constant"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return np.ones_like(done)


class Step(BaseSchedule):
    """Multiply by `gamma` after each stretch of `every`: `gamma ** floor(t / every)`."""

    kind: Literal["step"] = "step"
    every: Length
    """Length of a stretch, in `unit`."""
    gamma: Length = 0.1
    unit: Unit = "fraction"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        t = clock.ticks(done, self.unit) / clock.length(self.every, self.unit)
        return np.asarray(self.gamma ** np.floor(t + TOUCH))


class MultiStep(BaseSchedule):
    """Multiply by `gamma` at each milestone: `gamma ** (milestones passed)`."""

    kind: Literal["multistep"] = "multistep"
    milestones: Milestones
    """Where to multiply, ascending, in `unit`."""
    gamma: Length = 0.1
    unit: Unit = "fraction"

    @model_validator(mode="after")
    def _ascending(self) -> "MultiStep":
        ascending(self.milestones)
        return self

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return np.asarray(self.gamma ** passed(self.milestones, self.unit, done, clock))


class Piecewise(BaseSchedule):
    """A factor for each stretch between milestones, written out."""

    kind: Literal["piecewise"] = "piecewise"
    milestones: Milestones
    """Where the factor changes, ascending, in `unit`."""
    values: Annotated[tuple[Factor, ...], Field(min_length=2)]
    """The factors: one before the first milestone and one from each on."""
    unit: Unit = "fraction"

    @model_validator(mode="after")
    def _fits(self) -> "Piecewise":
        ascending(self.milestones)
        if len(self.values) != len(self.milestones) + 1:
            raise ValueError(f"{len(self.milestones)} milestones need {len(self.milestones) + 1} values")
        return self

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return np.array(self.values)[passed(self.milestones, self.unit, done, clock).astype(np.int64)]


class Exponential(BaseSchedule):
    """Fall by the same factor in the same time: `gamma ** (t / every)`, update by update."""

    kind: Literal["exponential"] = "exponential"
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.01
    """What is left after `every`."""
    every: Length = 1.0
    """The time in which the rate falls by `gamma`, in `unit`."""
    unit: Unit = "fraction"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return np.asarray(self.gamma ** (clock.ticks(done, self.unit) / clock.length(self.every, self.unit)))


class Polynomial(BaseSchedule):
    """A power of the time that is left: `end + (1 - end) * (1 - t / length) ** power`. Power 1 is a straight line."""

    kind: Literal["polynomial"] = "polynomial"
    power: Length = 1.0
    length: Length = 1.0
    """Where `end` is reached, in `unit`; it stays there afterwards."""
    unit: Unit = "fraction"
    end: Factor = 0.0

    def factors(self, done: Floats, clock: Clock) -> Floats:
        t = np.minimum(clock.ticks(done, self.unit) / clock.length(self.length, self.unit), 1.0)
        return np.asarray(self.end + (1.0 - self.end) * (1.0 - t) ** self.power)


class Cosine(BaseSchedule):
    """Half a cosine from 1 to `end`: `end + (1 - end) * (1 + cos(pi * t / length)) / 2` (Loshchilov & Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    length: Length = 1.0
    """Where `end` is reached, in `unit`; it stays there afterwards."""
    unit: Unit = "fraction"
    end: Factor = 0.0

    def factors(self, done: Floats, clock: Clock) -> Floats:
        t = np.minimum(clock.ticks(done, self.unit) / clock.length(self.length, self.unit), 1.0)
        return np.asarray(self.end + (1.0 - self.end) * (1.0 + np.cos(np.pi * t)) / 2.0)


class InverseSqrt(BaseSchedule):
    """Flat for `timescale`, then as the root of time: `sqrt(timescale / max(t, timescale))` (Vaswani et al. 2017).

    A gradual warm-up of the same length around it is the paper's schedule, its peak being 1.
    """

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"
    timescale: Length = 0.1
    """In `unit`: the factor is a half after four of these."""
    unit: Unit = "fraction"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        scale = clock.length(self.timescale, self.unit)
        return np.sqrt(scale / np.maximum(clock.ticks(done, self.unit), scale))


class Swa(BaseSchedule):
    """For weight averaging: 1 until `start`, straight down to `ratio` at `stop`, then flat (Garipov et al. 2018)."""

    kind: Literal["swa"] = "swa"
    ratio: Factor = 0.01
    """The last factor, held while weights are averaged."""
    start: Factor = 0.5
    """Where it begins to fall, in `unit`."""
    stop: Length = 0.9
    """Where `ratio` is reached, in `unit`."""
    unit: Unit = "fraction"

    @model_validator(mode="after")
    def _falls(self) -> "Swa":
        if self.start >= self.stop:
            raise ValueError("start must lie before stop")
        return self

    def factors(self, done: Floats, clock: Clock) -> Floats:
        start, stop = clock.length(self.start, self.unit), clock.length(self.stop, self.unit)
        fallen = np.clip((clock.ticks(done, self.unit) - start) / (stop - start), 0.0, 1.0)
        return np.asarray(1.0 - (1.0 - self.ratio) * fallen)
