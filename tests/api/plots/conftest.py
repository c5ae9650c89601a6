"""Experiments in memory: what the plots are drawn from, without a database."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from batchlab.results import group_cells

SPEC = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "optimizer": {"kind": "sgd"},
    "batch_sizes": [1, 4, 16],
    "budget": {"epochs": 500},
    "variants": [],
}
UNITS = {
    "loss": "nats",
    "grad_norm": "1",
    "grad_norm_weights": "1",
    "grad_norm_biases": "1",
    "val_loss": "nats",
    "train_accuracy": "fraction",
    "val_accuracy": "fraction",
    "step_seconds": "s",
}


class InMemorySource:
    """A Source over rows that a test has made; `series` are the /curves answer, whatever is asked for."""

    def __init__(self, cells: Sequence[dict[str, Any]], series: Iterable[dict[str, Any]], **spec: Any) -> None:
        self.experiment = {"name": "fig-6.7.1", "spec": SPEC | spec, "metrics": UNITS}
        self.cells = cells
        self.groups = group_cells(cells)
        self.series = list(series)
        self.analyses: list[dict[str, Any]] = []
        self.found: dict[str, Any] = {}
        self.asked: list[tuple[Sequence[str], int, str, str]] = []

    def arrays(self, analysis: str) -> Any:
        return self.found[analysis]

    def curves(self, metrics: Sequence[str], points: int, x: str, group: str) -> Sequence[dict[str, Any]]:
        self.asked.append((metrics, points, x, group))
        return [s for s in self.series if s["metric"] in metrics]


def result_of(batch_size: int, seed: int = 0, lr: float = 0.5) -> dict[str, float]:
    """Results that depend on the point in a simple way; seeds 0, 1, 2 have the mean of seed 1."""
    base = lr * batch_size**-0.5 * (1 + 0.1 * (seed - 1))
    return {
        "mean_grad_norm_weights": base,
        "mean_grad_norm_biases": 2 * base,
        "best_val_loss": 0.01 * batch_size**0.5,
        "train_accuracy": 0.9,
        "val_accuracy": 0.8,
        "seconds_per_update": 1e-4 * batch_size,
        "seconds_per_epoch": 0.2 / batch_size,
    }


def make_cell(batch_size: int = 4, seed: int = 0, lr: float = 0.5, status: str = "succeeded", **fields: Any) -> Any:
    """A result row of one cell."""
    ended = status == "succeeded"
    return {
        "variant": None,
        "batch_size": batch_size,
        "lr": lr,
        "momentum": 0.0,
        "params": {},
        "seed": seed,
        "status": status,
        "shared_with": 0,
        "result": result_of(batch_size, seed, lr) if ended else None,
        **fields,
    }


def make_series(batch_size: int = 4, metric: str = "loss", seeds: int = 3, **fields: Any) -> Any:
    """A series merged over seeds: 1, 1/2, 1/4, 1/8 with extremes at half and double, an interval at ten per cent."""
    mean = [1.0, 0.5, 0.25, 0.125]
    return {
        "metric": metric,
        "variant": None,
        "batch_size": batch_size,
        "lr": 0.5,
        "momentum": 0.0,
        "params": {},
        "x": [1.0, 2.0, 3.0, 4.0],
        "mean": mean,
        "min": [v / 2 for v in mean],
        "max": [v * 2 for v in mean],
        "lo": [v * 0.9 for v in mean],
        "hi": [v * 1.1 for v in mean],
        "n": [seeds] * 4,
        "diverged_at": None,
        **fields,
    }


@pytest.fixture
def cell() -> Callable[..., Any]:
    return make_cell


@pytest.fixture
def series() -> Callable[..., Any]:
    return make_series


@pytest.fixture
def source() -> Callable[..., InMemorySource]:
    """Makes a source from cells and series; by default batch sizes 1, 4, 16 with three seeds each."""

    def make(cells: Sequence[Any] | None = None, series: Iterable[Any] | None = None, **spec: Any) -> InMemorySource:
        sizes = (1, 4, 16)
        every = [make_cell(b, seed) for b in sizes for seed in range(3)] if cells is None else cells
        metrics = ("loss", "grad_norm", "val_loss")
        return InMemorySource(
            every, [make_series(b, m) for m in metrics for b in sizes] if series is None else series, **spec
        )

    return make
