"""How fast the machine could train the sweeps of `benchmarks.sweeps`, by its own rates, beside the measured seconds.

    python -m benchmarks.floors     (by `make bench`, after the sweeps)

Rates of one core are measured first: products of matrices by the BLAS of torch and of SciPy, copies of several sizes,
exponentials by the compiled loop. A sweep's products, bytes and exponentials are counted from its cells. No part can be
faster than its own rate, so that the largest of the three is a floor; their sum is one where nothing overlaps.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from batchlab.cell import Cell
from batchlab.engines.compiled.maths import compiled, exponential
from batchlab.init import network
from numba import set_num_threads
from scipy.linalg.blas import sgemm
from threadpoolctl import threadpool_limits
from torch import nn

from benchmarks.common import RESULTS, write
from benchmarks.sweeps import WORKLOADS, cells_of

SIZE = 512
"""Sides of the matrices that are multiplied."""
COPIES = (2**14, 2**17, 2**20, 2**23, 2**28)
"""Bytes that are copied: from what the first cache holds to what none does."""
FLOAT = 4


def rate(work: float, act: Callable[[], Any], seconds: float = 1.0) -> float:
    """Units of `work` a second, at the fastest of many times."""
    act()
    best, end = float("inf"), perf_counter() + seconds
    while perf_counter() < end:
        began = perf_counter()
        act()
        best = min(best, perf_counter() - began)
    return work / best


@compiled
def exponentials(x: Any, y: Any) -> None:
    """exp of all numbers."""
    for i in range(x.size):
        y[i] = exponential(x[i])


@dataclass(frozen=True)
class Rates:
    """Products and sums a second by each BLAS, bytes read or written a second by the size of the copy, exponentials."""

    torch: float
    scipy: float
    copies: dict[int, float]
    exponentials: float

    def bytes(self, size: float) -> float:
        """Bytes a second in arrays of so many bytes together."""
        return self.copies[next((known for known in COPIES if known >= size), COPIES[-1])]


def copying(source: Any) -> float:
    """Bytes read and written a second by a copy."""
    into = source.copy()
    return rate(2.0 * source.nbytes, lambda: np.copyto(into, source))


def rates() -> Rates:
    """The machine's rates on one core."""
    a, x = np.ones((SIZE, SIZE), np.float32, order="F"), -np.linspace(0, 20, 4096, dtype=np.float32)
    t, y = torch.from_numpy(a), np.empty_like(x)
    copies = {size: copying(np.ones(size // 2 // FLOAT, np.float32)) for size in COPIES}
    flops = 2.0 * SIZE**3
    return Rates(
        rate(flops, lambda: t @ t), rate(flops, lambda: sgemm(1.0, a, a)), copies,
        rate(x.size, lambda: exponentials(x, y)),
    )  # fmt: skip


@dataclass(frozen=True)
class Layers:
    """Of one row: products and sums forwards, those of the first layer among them, and the numbers that layers give."""

    forward: float
    first: float
    numbers: float


def layers(cell: Cell) -> Layers:
    """Counted while a row passes through the cell's network."""
    net = network(cell.model, cell.info.shape, cell.info.outputs, cell.init, cell.seed)
    flops, numbers = [], []

    def count(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        numbers.append(out.numel())
        if isinstance(module, nn.Linear | nn.Conv2d):
            flops.append(2.0 * module.weight[0].numel() * out.numel())

    for module in net.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    net(torch.zeros(1, *cell.info.shape))
    return Layers(sum(flops), flops[0], sum(numbers))


def work(cell: Cell, rates: Rates) -> Iterator[float]:
    """Seconds that the cell's products, bytes and exponentials take at least."""
    found, parameters = layers(cell), cell.model.parameters(cell.info.shape, cell.info.outputs)
    weights, pixels = sum(float(np.prod(shape)) for shape in parameters.values()), float(np.prod(cell.info.shape))
    evaluations = 1 + -(-cell.steps // cell.evaluate_every)
    trained = cell.steps * cell.rows / cell.steps_per_epoch
    evaluated = evaluations * (cell.rows + (cell.dataset.held_out or cell.info.test_rows))
    blas = rates.scipy if cell.model.kind in ("softmax", "mlp") else rates.torch
    yield (trained * (3 * found.forward - found.first) + evaluated * found.forward) / blas
    momentum = 2 if cell.momentum else 0
    steps = FLOAT * weights * cell.steps * (4 + momentum) / rates.bytes(FLOAT * weights * 3)
    gathered = FLOAT * pixels * (2 * trained + evaluated) / rates.bytes(FLOAT * pixels * cell.rows)
    passed = (
        FLOAT * found.numbers * (4 * trained + 2 * evaluated) / rates.bytes(FLOAT * found.numbers * cell.batch_size)
    )
    yield steps + gathered + passed
    yield (trained + evaluated) * cell.info.outputs / rates.exponentials


def report(found: Rates) -> str:
    """The rates and the floors as Markdown."""
    copies = ", ".join(f"{size / 2**10:,.0f} KiB {speed / 1e9:.0f}" for size, speed in found.copies.items())
    lines = [
        "# Floors",
        "",
        f"One core multiplies {found.torch / 1e9:.0f} GFLOP/s by torch's BLAS and {found.scipy / 1e9:.0f} by SciPy's "
        f"({SIZE} x {SIZE}, float32), and takes {found.exponentials / 1e9:.2f} thousand million exponentials a second. "
        f"Copies, GB/s read and written: {copies}.",
        "",
        "| sweep | products, s | bytes, s | exponentials, s | floor, s | all, s | measured, s | times the floor |",
        f"|{' --- |' * 8}",
    ]
    kept = RESULTS / "sweeps.json"
    times = json.loads(kept.read_text()) if kept.exists() else {}
    for workload in WORKLOADS:
        parts = [sum(column) for column in zip(*(work(cell, found) for cell in cells_of(workload)), strict=True)]
        warm = [one["seconds"] for one in times.get(workload, {}).get("warm", [])]
        measured = f"{median(warm):.2f} | {median(warm) / max(parts):.1f}" if warm else " | "
        numbers = " | ".join(f"{value:.2f}" for value in (*parts, max(parts), sum(parts)))
        lines.append(f"| {workload} | {numbers} | {measured} |")
    doc = (__doc__ or "").split("\n\n")[2].replace("\n", " ")
    return "\n".join([*lines, "", doc])


def main() -> None:
    torch.set_num_threads(1)
    set_num_threads(1)
    with threadpool_limits(1):
        write("floors", report(rates()))


if __name__ == "__main__":
    main()
