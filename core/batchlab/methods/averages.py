"""Averages of weights over a run: the run ends with the averaged network.

Its last evaluation, its checkpoint and all that is computed from it are those of the averaged weights, with the running
statistics of every batch norm taken anew over the training rows. The result says what the weights gave before.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from batchlab.errors import SpecError
from batchlab.kinds import Kind, union
from batchlab.schedules.base import TOUCH, Clock, Unit

Length = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class Moments:
    """When an average acts, in finished updates."""

    taken: Sequence[int]
    """After which of them the weights go into the mean, ascending."""
    begun: Sequence[int] = ()
    """After which of them training goes back to the weights at the first of these, with a fresh optimizer."""


class BaseAverage(Kind):
    """A member of the family."""

    family: ClassVar[str] = "averages"

    start: Length
    unit: Unit = "fraction"

    @abstractmethod
    def moments(self, steps: int, clock: Clock) -> Moments:
        """When it acts in a run of so many updates."""

    @abstractmethod
    def check(self, steps: int, clock: Clock) -> None:
        """Raise SpecError (paths relative to `average`) where such a run is too short for it."""

    def _first(self, steps: int, clock: Clock) -> int:
        """Finished updates after which `start` is over: by bisection, as a clock only goes forward."""
        length = clock.length(self.start, self.unit) - TOUCH
        return bisect_left(range(steps), length, key=lambda done: self._ticks(done, clock))

    def _ticks(self, done: int, clock: Clock) -> float:
        return float(clock.ticks(np.array([float(done)]), self.unit)[0])


class Swa(BaseAverage):
    """Stochastic weight averaging: the mean of the weights from `start` on (Izmailov et al. 2018).

    The paper averages once an epoch from three quarters of the run on, under a constant or cyclical rate, which is the
    schedule's business. The result has the last weights' own evaluation as `unaveraged_val_accuracy` and so on.
    """

    kind: Literal["swa"] = "swa"
    start: Length = 0.75
    """Where the first weights are taken, in `unit`."""
    every: Annotated[int, Field(ge=1)] | None = None
    """Updates between two weights that are taken; default: those of an epoch."""

    def moments(self, steps: int, clock: Clock) -> Moments:
        return Moments(range(max(1, self._first(steps, clock)), steps + 1, self.every or clock.steps_per_epoch))

    def check(self, steps: int, clock: Clock) -> None:
        if clock.length(self.start, self.unit) > self._ticks(steps, clock) + TOUCH:
            raise SpecError.at(("start",), "is after the end of the run: start earlier")


class Swap(BaseAverage):
    """Stochastic weight averaging in parallel: one start, several ends, their mean (Gupta, Serrano & DeCoste 2020).

    Phase 1 trains up to `start`: with a large batch and a high rate. Phase 2 is the rest of the run in `members` equal
    stretches, each from the weights that phase 1 left, with a fresh optimizer and the data in orders of its own: those
    of its epochs. Phase 3 averages the members' weights. That phase 2 has smaller batches and a lower rate is said by
    `batch_schedule` and `schedule`, with a milestone at `start`. Workers that would train side by side train one after
    another here, so seconds are those of all of them together. Phase 1 ends by its length; the paper ends it where the
    training accuracy reaches a value, which the result has as `phase_1_train_accuracy`. Each member's evaluation is
    `member_1_val_accuracy` and so on, their mean `members_val_accuracy`.
    """

    kind: Literal["swap"] = "swap"
    start: Length = 0.5
    """Where phase 1 ends, in `unit`."""
    members: Annotated[int, Field(ge=2, le=64)] = 4
    """Networks that phase 2 trains."""

    def moments(self, steps: int, clock: Clock) -> Moments:
        first = self._first(steps, clock)
        ends = [first + (steps - first) * i // self.members for i in range(self.members + 1)]
        return Moments(ends[1:], ends[:-1])

    def check(self, steps: int, clock: Clock) -> None:
        first = self._first(steps, clock)
        if first < 1:
            raise SpecError.at(("start",), "leaves phase 1 no update: start later")
        if steps - first < self.members:
            msg = f"leaves {steps - first} updates for {self.members} members: start earlier or train longer"
            raise SpecError.at(("start",), msg)


Average: Any = union("averages", Swa, Swap)
