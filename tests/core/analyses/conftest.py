"""Trained cells for analyses, and analyses run to their end, whole or torn."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from batchlab import state
from batchlab.analyses import Analysis
from batchlab.analyses.base import Finding, Subject, weights_of
from pydantic import TypeAdapter

NET: dict[str, Any] = {
    "dataset": {"kind": "iris"},
    "model": {"kind": "mlp", "widths": [6]},
    "batch_sizes": [32],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"steps": 60},
}


@pytest.fixture
def subjects(cells: Any, train: Any, tmp_path: Any) -> Callable[..., list[Subject]]:
    """The cells of a small spec (a network on iris) with these keys changed, trained; all states where `blocks`."""

    def make(block_steps: int = 16384, **changes: Any) -> list[Subject]:
        found = []
        for cell in cells(**{**NET, **changes}):
            data = cell.dataset.load(tmp_path)
            trained = train(cell, data, block_steps=block_steps)
            weights = {block.steps_done: weights_of(s) for block, s in zip(trained.blocks, trained.states, strict=True)}
            found.append(Subject(cell, data, weights, trained.result))
        return found

    return make


def analysis(**document: Any) -> Any:
    return TypeAdapter(Analysis).validate_json(json.dumps(document))


@pytest.fixture
def analyse() -> Callable[..., Finding]:
    """The finding of an analysis written as a document."""

    def run(given: Sequence[Subject], **document: Any) -> Finding:
        finding = None
        for piece, _ in analysis(**document).run(given):
            finding = piece.finding
        assert finding is not None
        return finding

    return run


@pytest.fixture
def torn() -> Callable[..., tuple[Finding, int]]:
    """The finding of an analysis that is killed after every piece, its state kept as bytes; and the pieces."""

    def run(given: Sequence[Subject], **document: Any) -> tuple[Finding, int]:
        kept, pieces = None, 0
        while True:
            piece, snapshot = next(analysis(**document).run(given, None if kept is None else state.from_bytes(kept)))
            pieces += 1
            if piece.finding is not None:
                return piece.finding, pieces
            kept = state.to_bytes(snapshot())

    return run


def same(one: Finding, other: Finding) -> bool:
    """Whether two findings agree in every bit, their seconds aside."""
    metas = [{k: v for k, v in f.meta.items() if k != "seconds"} for f in (one, other)]
    arrays = one.arrays.keys() == other.arrays.keys() and all(
        np.array_equal(one.arrays[k], other.arrays[k], equal_nan=True) for k in one.arrays
    )
    return arrays and one.values == other.values and metas[0] == metas[1]


@pytest.fixture
def equal() -> Callable[[Finding, Finding], bool]:
    return same


class Quadratic:
    """f(w) = f0 + (w - m)' diag(h) (w - m) / 2 behind the interface of a problem, as one row."""

    def __init__(self, curvature: Sequence[float], minimum: Sequence[float], lowest: float = 0.0) -> None:
        self.h, self.m = (torch.tensor(v, dtype=torch.float64) for v in (curvature, minimum))
        self.lowest, self.n, self.rows, self.drawn, self.table = lowest, len(self.h), 1, 1.0, None
        self.dtype, self.device = torch.float64, torch.device("cpu")

    def tensor(self, values: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(values)).double()

    def random(self, seed: int, stream: Any, number: int = 0) -> torch.Tensor:
        from batchlab import streams

        return self.tensor(streams.generator(seed, stream, number).standard_normal(self.n))

    def loss(self, w: torch.Tensor) -> float:
        return self.lowest + float(((w - self.m).square() * self.h).sum()) / 2

    def losses(self, w: torch.Tensor, table: Any = None) -> torch.Tensor:
        return torch.tensor([self.loss(w)], dtype=torch.float64)

    def gradient(self, w: torch.Tensor, table: Any = None) -> tuple[float, torch.Tensor]:
        return self.loss(w), self.h * (w - self.m)


@pytest.fixture
def quadratic() -> type[Quadratic]:
    return Quadratic
