"""How a stack's updates are taken: one as it comes, or a run of several over the same buffers again and again.

An update is a fixed sequence of operations without a look at a value. Where its rows and numbers are read from buffers,
and what it measures is written to one, a GPU can capture a whole run as a graph and replay it, since all that an update
changes is changed in place. A run is as long as a power of two, so that few kinds of them make up any stretch.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from batchlab.cell import Cell
from batchlab.engines.garbage import uncollected
from batchlab.engines.stacked.training import Training

LONGEST = 16
"""Updates of a run, at most."""
WARM_UPS = 3
"""Times that a run is taken before it is captured: libraries that are called first then must not be (PyTorch's notes on
CUDA graphs)."""
AHEAD = 8
"""Replays that may wait for the device, beyond which the host waits: a block is to end when its seconds are over."""

Taken = Sequence[tuple[Tensor | None, Tensor]]
"""Rows and numbers of consecutive updates, as `Training.update` takes them, all of one shape."""
Play = Callable[[], Tensor]
"""Takes updates, and returns what was measured at each: (updates, K, columns). Nothing is waited for."""


class Player(Protocol):
    """Takes updates in runs of its own lengths."""

    def length(self, most: int) -> int:
        """How many updates to take next, where up to `most` are alike."""

    def ready(self, taken: Taken) -> Play:
        """What takes these updates: to be called once, before any other is made ready."""


class Single:
    """Takes each update as it comes."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def length(self, most: int) -> int:
        """One."""
        return 1

    def ready(self, taken: Taken) -> Play:
        """The one update."""
        ((rows, numbers),) = taken
        return lambda: self._training.update(rows, numbers)[None]


class Run:
    """Updates over buffers: `load` says which, calling it takes them. `play` is what it captures, or `take` itself."""

    def __init__(self, training: Training, taken: Taken) -> None:
        rows, numbers = taken[0]
        n = len(taken)
        self._training = training
        self._rows = None if rows is None else rows.new_empty((n, *rows.shape))
        self._numbers = numbers.new_empty((n, *numbers.shape))
        self._found = numbers.new_empty((n, *training.measured))
        self.play: Callable[[], None] = self.take
        self.load(taken)

    def load(self, taken: Taken) -> None:
        """Put rows and numbers where the updates read them."""
        if self._rows is not None:
            torch.stack([rows for rows, _ in taken if rows is not None], out=self._rows)
        torch.stack([numbers for _, numbers in taken], out=self._numbers)

    def take(self) -> None:
        """The updates, from the buffers to the buffer."""
        with self._training.in_place():
            for i, numbers in enumerate(self._numbers):
                rows = None if self._rows is None else self._rows[i]
                self._found[i].copy_(self._training.update(rows, numbers))

    def __call__(self) -> Tensor:
        """Take the updates; what was measured is a copy, since the next run overwrites the buffer."""
        self.play()
        return self._found.clone()


class Buffered:
    """Takes runs over buffers, a set of them for each length and number of rows."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._runs: dict[tuple[int, int], Run] = {}

    def length(self, most: int) -> int:
        """The largest power of two that is not above."""
        return min(LONGEST, 1 << (most.bit_length() - 1))

    def ready(self, taken: Taken) -> Play:
        """The run of this kind, loaded; one that is the first of its kind is made, which may take its time."""
        rows, _ = taken[0]
        kind = len(taken), 0 if rows is None else rows.shape[1]
        if kind in self._runs:
            self._runs[kind].load(taken)
        else:
            self._runs[kind] = run = Run(self._training, taken)
            run.play = self.made(run.take)
        return self._runs[kind]

    def made(self, take: Callable[[], None]) -> Callable[[], None]:
        """What takes the updates of a new run, the first time too."""
        return take


class Graphs(Buffered):
    """Takes runs that are captured as CUDA graphs. They share a pool of memory: none of it outlives a replay.

    The runs do not refer to this object, so that the graphs of a stack go with it, and not when garbage is collected.
    """

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self._device = training.stack.device
        self._side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._waiting: deque[torch.cuda.Event] = deque()

    def made(self, take: Callable[[], None]) -> Callable[[], None]:
        """Warm up, take that back, and capture, which computes nothing."""
        with torch.cuda.device(self._device):
            with self._training.on_trial():
                self._warm_up(take)
            graph = torch.cuda.CUDAGraph()
            # Whatever other threads of the process ask of the device meanwhile is none of the capture's; and what is
            # given back to the device by this one would spoil it.
            with uncollected(), torch.cuda.graph(graph, self._pool, self._side, capture_error_mode="thread_local"):
                take()
        return partial(_replay, graph, self._device, self._waiting)

    def _warm_up(self, take: Callable[[], None]) -> None:
        usual = torch.cuda.current_stream(self._device)
        self._side.wait_stream(usual)
        with torch.cuda.stream(self._side):
            for _ in range(WARM_UPS):
                take()
        usual.wait_stream(self._side)


def _replay(graph: torch.cuda.CUDAGraph, device: torch.device, waiting: "deque[torch.cuda.Event]") -> None:
    if len(waiting) == AHEAD:
        waiting.popleft().synchronize()
    graph.replay()
    event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    waiting.append(event)


def player(training: Training) -> Player:
    """Graphs on a GPU, where an update is little but launches. A CPU gains nothing by buffers."""
    return Graphs(training) if training.stack.device.type == "cuda" else Single(training)


def unbroken(cell: Cell) -> Callable[[int], int]:
    """Of a stack of such cells: how many updates after so many take equally many rows, and none is evaluated before the
    last of them."""
    steps, every, epoch = cell.steps, cell.evaluate_every, cell.steps_per_epoch
    full = epoch if cell.rows % cell.batch_size == 0 else epoch - 1

    def following(done: int) -> int:
        until = min(steps - done, every - done % every)
        return until if full == epoch else min(until, max(1, full - done % epoch))

    return following
