"""Schedules made of schedules: a warm-up around one, several in a row, one scaled, several multiplied.

The union of all schedules is at the bottom.
"""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from batchlab.kinds import Strict, union
from batchlab.schedules.base import BaseSchedule, Clock, Floats, Unit
from batchlab.schedules.cycles import ExpRange, OneCycle, RangeTest, Sgdr, Triangular, Triangular2
from batchlab.schedules.decays import (
    Constant,
    Cosine,
    Exponential,
    Factor,
    InverseSqrt,
    Length,
    MultiStep,
    Piecewise,
    Polynomial,
    Step,
    Swa,
)  # fmt: skip


class Warmup(BaseSchedule):
    """Start low, then follow another schedule (Goyal et al. 2017, section 2.2).

    Gradual: from `start` to 1 linearly per update over `length`. Constant: `start` for `length`, then the jump to 1.
    The wrapped schedule sees its own time from the start of the run, as in the paper's recipe.
    """

    kind: Literal["warmup"] = "warmup"
    length: Length
    unit: Unit = "fraction"
    start: Factor = 0.0
    shape: Literal["gradual", "constant"] = "gradual"
    then: "Schedule" = Constant()

    def factors(self, done: Floats, clock: Clock) -> Floats:
        length, t = clock.length(self.length, self.unit), clock.ticks(done, self.unit)
        place = np.minimum(t / length, 1.0)
        ramp = self.start + (1.0 - self.start) * place
        ramp = ramp if self.shape == "gradual" else np.where(place < 1.0, self.start, 1.0)
        inner: Floats = self.then.factors(done, clock)
        return np.asarray(np.where(t < length, ramp, 1.0) * inner)

    def momentum_factors(self, done: Floats, clock: Clock) -> Floats:
        found: Floats = self.then.momentum_factors(done, clock)
        return found


class Piece(Strict):
    """A stretch of a joined schedule."""

    schedule: "Schedule"
    """What holds in this stretch, by a clock of its own that starts with it and whose whole run is the stretch."""
    length: Length
    """How long, in the unit of the join."""


class Join(BaseSchedule):
    """One schedule after another; the last goes on where the lengths end before the run does."""

    kind: Literal["join"] = "join"
    pieces: Annotated[tuple[Piece, ...], Field(min_length=1)]
    """The stretches in order."""
    unit: Unit = "fraction"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return self._joined("factors", done, clock)

    def momentum_factors(self, done: Floats, clock: Clock) -> Floats:
        return self._joined("momentum_factors", done, clock)

    def _joined(self, method: str, done: Floats, clock: Clock) -> Floats:
        lengths = np.array([clock.length(piece.length, self.unit) for piece in self.pieces])
        # A piece starts with an update: the first that is not before the end of the pieces before it.
        starts = np.ceil(np.concatenate([[0.0], np.cumsum(lengths)[:-1]]) - 1e-6)
        t = clock.ticks(done, self.unit)
        piece = np.searchsorted(starts, t + 1e-6, side="right") - 1
        found = np.empty_like(t)
        for i in np.unique(piece):
            here, own = piece == i, Clock(max(1, round(lengths[i])), clock.steps_per_epoch)
            found[here] = getattr(self.pieces[i].schedule, method)(np.maximum(t[here] - starts[i], 0.0), own)
        return found


class Scale(BaseSchedule):
    """Another schedule, times a constant."""

    kind: Literal["scale"] = "scale"
    by: Length
    """The constant."""
    schedule: "Schedule" = Constant()

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return np.asarray(self.by * self.schedule.factors(done, clock))

    def momentum_factors(self, done: Floats, clock: Clock) -> Floats:
        found: Floats = self.schedule.momentum_factors(done, clock)
        return found


class Product(BaseSchedule):
    """Several schedules multiplied: a cycle under an envelope that falls, say."""

    kind: Literal["product"] = "product"
    schedules: Annotated[tuple["Schedule", ...], Field(min_length=1)]

    def factors(self, done: Floats, clock: Clock) -> Floats:
        return np.asarray(np.prod([schedule.factors(done, clock) for schedule in self.schedules], axis=0))

    def momentum_factors(self, done: Floats, clock: Clock) -> Floats:
        return np.asarray(np.prod([schedule.momentum_factors(done, clock) for schedule in self.schedules], axis=0))


Schedule: Any = union(
    "schedules", Constant, Step, MultiStep, Piecewise, Exponential, Polynomial, Cosine, InverseSqrt, Swa, Triangular,
    Triangular2, ExpRange, Sgdr, OneCycle, RangeTest, Warmup, Join, Scale, Product,
)  # fmt: skip
for _holder in (Warmup, Piece, Join, Scale, Product):
    _holder.model_rebuild()


def momentum_factors(schedule: Any, own: Any, done: Floats, clock: Clock) -> Floats:
    """Factors on the momentum: those of its `own` schedule where it has one, else those that go with the rate's."""
    found: Floats = schedule.momentum_factors(done, clock) if own is None else own.factors(done, clock)
    return found
