"""The reference engine: the plain PyTorch loop, one cell at a time, any model on any device.

Slow and obviously right: other engines are checked against it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from batchlab.cell import Cell
from batchlab.datasets import Arrays
from batchlab.engines import pretrained
from batchlab.engines.base import Block, Snapshot, State
from batchlab.engines.flushing import flushed
from batchlab.engines.growing import Course
from batchlab.engines.limits import check_time, time_left
from batchlab.engines.log import Log, Norms
from batchlab.engines.tally import Tally
from batchlab.engines.task import Task
from batchlab.engines.timing import stopwatch


class Reference:
    """Trains a cohort of one cell."""

    name = "reference"

    @flushed
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
        """Blocks of the one cell, to its end; CellTimeout after the block in which its time is over."""
        (cell,) = cohort
        task = Task(cell, data, torch.device(device))
        if state is None and cell.pretraining is not None:
            task.begin_with(pretrained.weights(self, cell, cell.pretraining, data, device))
        tally = Tally() if state is None else resume(task, state)
        course = Course(task, () if state is None else state.meta.get("decided", ()))
        norms, watch, log = Norms(task), stopwatch(task.device), Log(task, tally, course)
        patience = min(block_seconds, time_left(cell, tally))
        if tally.done == 0:
            log.evaluated(0, task.evaluate())

        for step, rate, momentum, rows in course.batches(tally.done):
            task.set_rate(rate, momentum)
            task.begin(step, course.seen(step - 1))
            watch.mark()
            loss = task.backward(rows)
            watch.mark()
            norms.before_step(loss)
            course.look(step, rows)
            watch.mark()
            task.step()
            watch.mark()
            norms.after_step()
            task.finish(step)
            log.updated(loss, rate, momentum)

            ended = step == course.cell.steps or log.stopped
            if ended or course.due(step):
                log.evaluated(step, task.evaluate())
                ended = ended or log.stopped
            if ended or len(log) >= block_steps or log.full or log.seconds >= patience:
                block = log.close(norms, watch)
                yield block, lambda: snapshot(task, tally, course)
                if block.cells[0].ending is not None:
                    return
                check_time(cell, tally)
                patience = min(block_seconds, time_left(cell, tally))


def snapshot(task: Task, tally: Tally, course: Course) -> State:
    """All that training needs to go on after the block that was just closed."""
    meta: dict[str, Any] = {"tally": tally.to_json(), "most_rows": task.most_rows}
    if task.average is not None:
        meta["average"] = task.average.meta()
    if course.decided:
        meta["decided"] = list(course.decided)
    return State(task.arrays(), meta)


def resume(task: Task, state: State) -> Tally:
    """Put the task where the snapshot was taken; returns its running totals."""
    task.restore(state.arrays)
    task.most_rows = int(state.meta["most_rows"])
    if task.average is not None:
        task.average.restore(state.arrays, state.meta["average"])
    return Tally.from_json(state.meta["tally"])
