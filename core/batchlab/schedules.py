"""Schedules: the factor by which the rate is multiplied at each update.

A schedule is a pure function of the update number (1, 2, ..), so that a run can be resumed anywhere, previews need no
training and every engine sees the same rates.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from batchlab.kinds import Kind, union

Floats = NDArray[np.float64]
Unit = Literal["fraction", "epochs", "steps"]


@dataclass(frozen=True)
class Clock:
    """What lengths are measured against: updates in the whole run, and updates per epoch."""

    steps: int
    steps_per_epoch: int

    def length(self, value: float, unit: Unit) -> float:
        """A length in updates."""
        per = {"fraction": self.steps, "epochs": self.steps_per_epoch, "steps": 1}
        return value * per[unit]


class _Schedule(Kind):
    family: ClassVar[str] = "schedules"

    @abstractmethod
    def factors(self, done: Floats, clock: Clock) -> Floats:
        """Factors for the updates that follow `done` finished updates (0 for the first), same shape."""


class Constant(_Schedule):
    """The rate stays as the rule gave it."""

    kind: Literal["constant"] = "constant"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return np.ones_like(done)


class MultiStep(_Schedule):
    """Multiply by `gamma` at each milestone: `gamma ** (milestones passed)`."""

    kind: Literal["multistep"] = "multistep"
    milestones: Annotated[tuple[float, ...], Field(min_length=1)]
    """Where to multiply, ascending, in `unit`."""
    gamma: Annotated[float, Field(gt=0)] = 0.1
    unit: Unit = "fraction"

    @model_validator(mode="after")
    def _ascending(self) -> "MultiStep":
        if any(m < 0 for m in self.milestones) or list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must be ascending, different and not negative")
        return self

    def factors(self, done: Floats, clock: Clock) -> Floats:
        at = np.array([clock.length(m, self.unit) for m in self.milestones])
        # The half-open comparison makes the update that follows exactly `at` finished ones the first slow one.
        return np.asarray(self.gamma ** np.searchsorted(at, done + 1e-9, side="right").astype(np.float64))


class Cosine(_Schedule):
    """Half a cosine from 1 to `end`: `end + (1 - end) * (1 + cos(pi * t / length)) / 2` (Loshchilov & Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    length: Annotated[float, Field(gt=0)] = 1.0
    """Where `end` is reached, in `unit`; it stays there afterwards."""
    unit: Unit = "fraction"
    end: Annotated[float, Field(ge=0)] = 0.0

    def factors(self, done: Floats, clock: Clock) -> Floats:
        t = np.minimum(done / clock.length(self.length, self.unit), 1.0)
        return np.asarray(self.end + (1.0 - self.end) * (1.0 + np.cos(np.pi * t)) / 2.0)


class Warmup(_Schedule):
    """Start low, then follow another schedule (Goyal et al. 2017, section 2.2).

    Gradual: from `start` to 1 linearly per update over `length`. Constant: `start` for `length`, then the jump to 1.
    The wrapped schedule sees its own time from the start of the run, as in the paper's recipe.
    """

    kind: Literal["warmup"] = "warmup"
    length: Annotated[float, Field(gt=0)]
    unit: Unit = "fraction"
    start: Annotated[float, Field(ge=0)] = 0.0
    shape: Literal["gradual", "constant"] = "gradual"
    then: "Schedule" = Constant()

    def factors(self, done: Floats, clock: Clock) -> Floats:
        length = clock.length(self.length, self.unit)
        t = np.minimum(done / length, 1.0)
        ramp = self.start + (1.0 - self.start) * t if self.shape == "gradual" else np.where(t < 1.0, self.start, 1.0)
        inner: Floats = self.then.factors(done, clock)
        return np.asarray(np.where(done < length, ramp, 1.0) * inner)


Schedule: Any = union("schedules", Constant, MultiStep, Cosine, Warmup)
Warmup.model_rebuild()
