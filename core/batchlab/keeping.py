"""Which weights of a cell are kept: after which updates, and the best ones. What is computed of them comes later.

A spec holds any number of policies; weights that several of them ask for are kept once, under all their labels.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from batchlab.errors import Fault
from batchlab.kinds import Kind, union
from batchlab.schedules import Clock, Unit

MOST_KEPT = 1000
"""Checkpoints that one policy may keep of one cell."""
Steps = NDArray[np.int64]


class _Keep(Kind):
    family: ClassVar[str] = "checkpoints"
    ends: ClassVar[bool] = False
    """Whether it asks for the weights with which a cell ends well, wherever that is."""

    @property
    def label(self) -> str:
        """What a checkpoint that it asked for is called."""
        return self.tag()

    def steps(self, clock: Clock) -> Steps:
        """After how many updates weights are kept (0: the initial ones), ascending; those that nobody knows before
        are not among them."""
        return np.zeros(0, np.int64)

    def count(self, clock: Clock) -> int:
        """How many checkpoints it keeps of a cell, at most."""
        return 1

    def faults(self, clock: Clock) -> Iterator[str]:
        """What is wrong with it for a cell of this length."""
        if self.count(clock) > MOST_KEPT:
            yield f"keeps {self.count(clock)} checkpoints of a cell, over the limit of {MOST_KEPT}: space them out"


class Last(_Keep):
    """The weights with which a cell ends, unless it diverged."""

    kind: Literal["last"] = "last"
    ends: ClassVar[bool] = True


class Best(_Keep):
    """The weights at the first best evaluation; an earlier best is let go."""

    kind: Literal["best"] = "best"
    metric: Literal["val_loss", "val_accuracy"] = "val_loss"
    """What is best: the least loss, or the largest accuracy, of the validation rows."""

    @property
    def label(self) -> str:
        return f"best_{self.metric}"


class At(_Keep):
    """The weights after given numbers of updates; 0 stands for the initial ones."""

    kind: Literal["at"] = "at"
    updates: Annotated[tuple[Annotated[int, Field(ge=0, le=10**12)], ...], Field(min_length=1, max_length=MOST_KEPT)]
    """Numbers of updates, ascending."""

    @model_validator(mode="after")
    def _ascending(self) -> "At":
        if list(self.updates) != sorted(set(self.updates)):
            raise ValueError("updates must be ascending and different")
        return self

    def steps(self, clock: Clock) -> Steps:
        return np.array(self.updates, np.int64)

    def count(self, clock: Clock) -> int:
        return len(self.updates)

    def faults(self, clock: Clock) -> Iterator[str]:
        if self.updates[-1] > clock.updates:
            yield f"there is no update {self.updates[-1]} in a run of {clock.updates}: leave it out"


class Every(_Keep):
    """The weights at equal distances: after each multiple of `length`."""

    kind: Literal["every"] = "every"
    length: Annotated[float, Field(gt=0)] = 1.0
    """The distance, in `unit`; at least one update."""
    unit: Unit = "epochs"

    def faults(self, clock: Clock) -> Iterator[str]:
        yield from super().faults(clock)
        if not self.count(clock):
            yield f"is longer than the run of {clock.updates} updates: it would keep nothing"

    def _spacing(self, clock: Clock) -> float:
        return max(1.0, clock.length(self.length, self.unit))

    def steps(self, clock: Clock) -> Steps:
        multiples = np.arange(1, self.count(clock) + 1) * self._spacing(clock)
        return np.unique(np.minimum(clock.reached(multiples.astype(np.float64), self.unit), clock.updates))

    def count(self, clock: Clock) -> int:
        # The small number makes up for a product that rounding has left below its whole number.
        return int(clock.whole(self.unit) / self._spacing(clock) + 1e-9)


class Trajectory(_Keep):
    """The way of the weights from the first to the last, as points at equal distances in updates."""

    kind: Literal["trajectory"] = "trajectory"
    ends: ClassVar[bool] = True
    points: Annotated[int, Field(ge=2, le=MOST_KEPT)] = 50
    """How many, both ends included; fewer where the run is shorter."""

    def steps(self, clock: Clock) -> Steps:
        return np.unique(np.linspace(0, clock.updates, self.points).round().astype(np.int64))

    def count(self, clock: Clock) -> int:
        return min(self.points, clock.updates + 1)


Keep: Any = union("checkpoints", Last, Best, At, Every, Trajectory)


def planned(policies: Sequence[_Keep], clock: Clock) -> dict[int, tuple[str, ...]]:
    """The numbers of updates after which weights are kept, with the labels of the policies that ask for them."""
    found: dict[int, tuple[str, ...]] = {}
    for policy in policies:
        for step in policy.steps(clock).tolist():
            found[step] = (*found.get(step, ()), policy.label)
    return found


def kept_count(policies: Sequence[_Keep], clock: Clock) -> int:
    """How many checkpoints of a cell are kept at most."""
    unknown = sum(not len(policy.steps(clock)) for policy in policies)
    return len(planned(policies, clock)) + unknown


def faults(policies: Sequence[_Keep], clock: Clock) -> Iterator[Fault]:
    """What is wrong with the policies for cells of this length, below the spec's `checkpoints`."""
    for i, policy in enumerate(policies):
        yield from (Fault(("checkpoints", i), message) for message in policy.faults(clock))
