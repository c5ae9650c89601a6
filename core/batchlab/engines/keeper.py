"""Takes the weights that a cell's policies ask for, while it trains."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from batchlab import keeping
from batchlab.engines.base import Ending, Kept
from batchlab.engines.growing import Course
from batchlab.engines.tally import SIGNS, Tally
from batchlab.engines.task import Task

BLOCK_BYTES = 64 * 2**20
"""Kept weights after which a block should end."""


class Keeper:
    """Holds what was kept since the block began. Without policies it does nothing."""

    def __init__(self, task: Task, tally: Tally, course: Course) -> None:
        policies = task.cell.checkpoints
        self._task, self._tally, self._course = task, tally, course
        self._plan()
        self._watched = {keep.metric: keep.label for keep in policies if isinstance(keep, keeping.Best)}
        self._ends = tuple(keep.label for keep in policies if keep.ends)
        self._open()

    def _plan(self) -> None:
        self._cell = self._course.cell
        self._planned = keeping.planned(self._cell.checkpoints, self._cell.clock)

    def _open(self) -> None:
        self._held: dict[int, Kept] = {}
        self._bytes = 0
        # Copies: the tally itself learns of an evaluation only when the block is closed.
        self._best = {metric: replace(self._tally.best[metric]) for metric in self._watched}

    @property
    def full(self) -> bool:
        """Whether the block should end, for what is kept fills the memory."""
        return self._bytes >= BLOCK_BYTES

    def reached(self, step: int) -> None:
        """Keep the weights after `step` updates, if a policy names that number."""
        if self._course.cell is not self._cell:  # the batch has grown: the rest of the run is another
            self._plan()
        if step in self._planned:
            self._hold(step, self._planned[step])

    def evaluated(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Keep the weights after `step` updates, if this evaluation is the best so far (it is waited for)."""
        for metric, label in self._watched.items():
            best, before = self._best[metric], self._best[metric].step
            if step > 0:
                best.offer(float(values[metric]), step, SIGNS[metric])
            if best.step != before:
                self._let_go(label)
                self._hold(step, (label,))

    def _hold(self, step: int, labels: tuple[str, ...]) -> None:
        held = self._held.get(step)
        if held is None:
            held = Kept(self._task.weights(), ())
            self._bytes += sum(array.nbytes for array in held.weights.values())
        self._held[step] = Kept(held.weights, tuple(dict.fromkeys((*held.labels, *labels))))

    def _let_go(self, label: str) -> None:
        """Nothing of this block has `label` any more."""
        rest = {step: [other for other in kept.labels if other != label] for step, kept in self._held.items()}
        self._held = {step: Kept(self._held[step].weights, tuple(labels)) for step, labels in rest.items() if labels}

    def close(self, done: int, until: int, ending: Ending | None) -> dict[int, Kept]:
        """What was kept after at most `until` updates, with the last weights of a cell that ends well after `done`."""
        if self._ends and ending is not None and ending.status == "succeeded":
            self._hold(done, self._ends)
        kept = {step: found for step, found in self._held.items() if step <= until}
        self._open()
        return kept
