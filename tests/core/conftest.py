"""Cells in few words, and training them to the end."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.cell import Cell
from batchlab.datasets import Arrays
from batchlab.engines import by_name
from batchlab.engines.base import CellBlock, Ending, State
from batchlab.expand import expand
from batchlab.metrics import TIMES
from batchlab.spec import parse_spec

sys.path.insert(0, str(Path(__file__).parent))

BASE = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [100],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"steps": 30},
    "evaluate": {"every_steps": 10},
}


@dataclass(frozen=True)
class Trained:
    """What a cell has given: its blocks, and the state after each of them."""

    blocks: tuple[CellBlock, ...]
    states: tuple[State, ...]

    @property
    def ending(self) -> Ending:
        ending = self.blocks[-1].ending
        assert ending is not None
        return ending

    @property
    def result(self) -> dict[str, Any]:
        return dict(self.ending.result)

    @property
    def evaluated_at(self) -> list[int]:
        return [step for block in self.blocks for step in block.evaluated_at.tolist()]

    def curve(self, metric: str) -> Any:
        """All values of a metric in one array."""
        return np.concatenate(
            [{**b.updates, **b.evaluations}.get(metric, np.zeros(0, np.float32)) for b in self.blocks]
        )

    def metrics(self) -> list[str]:
        return sorted({name for block in self.blocks for name in (*block.updates, *block.evaluations)})

    def bits(self) -> dict[str, bytes]:
        """Every curve as bytes, the times aside."""
        return {name: self.curve(name).tobytes() for name in self.metrics() if name not in TIMES}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bits depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    """A small spec with these keys changed."""
    return lambda **changes: {**BASE, **changes}


@pytest.fixture
def cells() -> Callable[..., tuple[Cell, ...]]:
    """The cells of a small spec with these keys changed."""
    return lambda **changes: expand(parse_spec({**BASE, **changes}))


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Trained]:
    """Train a cell to its end: with the reference, unless another engine is named."""

    def run(
        cell: Cell, data: Arrays | None = None, state: State | None = None, engine: str = "reference", **options: Any
    ) -> Trained:
        data = cell.load(lambda dataset: dataset.load(tmp_path)) if data is None else data
        return gather(by_name(engine).train([cell], data, state, **options))

    return run


def gather(items: Any) -> Trained:
    taken: Sequence[tuple[CellBlock, State]] = [(block.cells[0], snapshot()) for block, snapshot in items]
    return Trained(tuple(block for block, _ in taken), tuple(state for _, state in taken))
