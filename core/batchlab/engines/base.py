"""What every engine gives: blocks of measurements, and snapshots from which training goes on bit for bit.

    train(cohort, state or None) -> Iterator[(Block, snapshot)]

The caller does the I/O. `snapshot()` returns the state right after the block and is valid until the next item; to
cancel, stop iterating.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from batchlab.cell import Cell
from batchlab.datasets import Arrays

Float32s = NDArray[np.float32]
Steps = NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """All that training needs to go on: arrays by name and small JSON facts. Serialised by `batchlab.state`."""

    arrays: Mapping[str, NDArray[Any]]
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class Ending:
    """How a cell ended, with its result (the contract's result keys; None for a number that is not finite)."""

    status: Literal["succeeded", "diverged"]
    result: Mapping[str, Any]


Weights = Mapping[str, NDArray[Any]]
"""A network's parameters and buffers by name."""


@dataclass(frozen=True)
class Kept:
    """Weights that are to be kept, under the labels of the policies that ask for them (`batchlab.keeping`)."""

    weights: Weights
    labels: tuple[str, ...]


@dataclass(frozen=True)
class CellBlock:
    """A stretch of one cell: the updates `first .. first + n - 1` (n may be 0) and the evaluations made meanwhile.

    `updates` maps a metric to its n values; `evaluations` maps a metric to one value for each of `evaluated_at`
    (after how many updates; 0 is the initial weights). `steps_done` counts the updates finished so far; `kept` maps
    the number of updates to the weights after them.
    """

    first: int
    updates: Mapping[str, Float32s]
    evaluated_at: Steps
    evaluations: Mapping[str, Float32s]
    steps_done: int
    ending: Ending | None = None
    kept: Mapping[int, Kept] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Its updates."""
        return max((len(values) for values in self.updates.values()), default=0)


@dataclass(frozen=True)
class Block:
    """One stretch of a cohort: a CellBlock for each of its cells that were not ended before, by position."""

    cells: Mapping[int, CellBlock]
    train_seconds: float = 0.0
    measure_seconds: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """The updates of all its cells together."""
        return sum(cell.n for cell in self.cells.values())


Snapshot = Callable[[], State]


class Engine(Protocol):
    """`cohort`: cells with equal `stack_key`; `data`: their data set's arrays; `device`: "cpu", "cuda:0", ..

    A block is yielded about every `block_seconds`, and at the latest after `block_steps` updates.
    """

    name: str

    def train(
        self,
        cohort: Sequence[Cell],
        data: Arrays,
        state: State | None = None,
        *,
        device: str = "cpu",
        block_seconds: float = 1.0,
        block_steps: int = 16384,
    ) -> Iterator[tuple[Block, Snapshot]]:
        """Train from the start or from `state`; CellTimeout after the block in which a cell's time is over."""
