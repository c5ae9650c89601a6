"""A bed of series for tests: cells to fill, values to fill them with, and ways to cut them into blocks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from batchlab.engines.base import CellBlock
from batchlab_db import curves, series
from batchlab_db.curves import FOREVER, Curve
from hypothesis import strategies as st
from kit import Bench

NO_STEPS = np.empty(0, dtype=np.int64)


class Bed:
    """An experiment with three cells, to be filled with series."""

    def __init__(self, bench: Bench) -> None:
        self.engine = bench.engine
        self.bench = bench
        self.cells = [row["id"] for row in bench.cells(bench.submit(seeds=3))]
        self.cell = self.cells[0]

    def clear(self) -> None:
        self.bench.sql("TRUNCATE series_blocks")

    def write(self, *blocks: CellBlock, cell: int | None = None) -> None:
        with self.engine.begin() as connection:
            for block in blocks:
                series.write(connection, [(self.cell if cell is None else cell, block)])

    def read(self, metric: str = "loss", first: int = 0, last: int = FOREVER, points: int = 1000) -> Curve:
        with self.engine.connect() as connection:
            return curves.read(connection, self.cell, metric, first, last, points=points)

    def rows(self) -> list[Any]:
        return self.bench.sql("SELECT * FROM series_blocks ORDER BY cell_id, metric, first")


def updates(first: int, values: Sequence[float] | np.ndarray, metric: str = "loss") -> CellBlock:
    found = np.asarray(values, dtype=np.float32)
    return CellBlock(first, {metric: found}, NO_STEPS, {}, first + len(found) - 1)


def evaluations(steps: Sequence[int] | np.ndarray, values: Sequence[float] | np.ndarray) -> CellBlock:
    at = np.asarray(steps, dtype=np.int64)
    return CellBlock(1, {}, at, {"val_loss": np.asarray(values, dtype=np.float32)}, int(at[-1]) if len(at) else 0)


def noise(seed: int, n: int, odd: float) -> np.ndarray:
    """Values with stretches that are constant, and a share `odd` that is not finite."""
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
    for _ in range(rng.integers(0, 3)):
        start = rng.integers(0, n)
        values[start : start + rng.integers(1, n + 1)] = values[start]
    values[rng.random(n) < odd] = rng.choice([np.nan, np.inf, -np.inf])
    return values


def cuts(data: st.DataObject, n: int) -> list[slice]:
    """Any way to cut n values into blocks, small and large ones."""
    edges = sorted(data.draw(st.sets(st.integers(1, max(1, n - 1)), max_size=8)) - {n})
    return [slice(a, b) for a, b in zip([0, *edges], [*edges, n], strict=True)]
