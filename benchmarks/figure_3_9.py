"""Figures 3.9 and 3.10: time per update and per epoch by batch size, a plain loop on one thread.

    python -m benchmarks.figure_3_9 [DEVICE]

The reference engine trains a perceptron 784-128-10 and a small convolutional network on 8192 pictures of MNIST, or of
noise where MNIST is not there, at batch sizes from 1 to 4096, without momentum and probes. The time of an update is
that of gradient and step, the mean over a block of 0.3 s: the median of five blocks, in brackets the least and
greatest, after one that is not counted. An epoch has 60 000 rows.
"""

import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from math import ceil
from typing import Any

import torch
from batchlab.cell import Cell
from batchlab.engines import by_name, device_for
from batchlab.expand import expand
from batchlab.spec import parse_spec

from benchmarks.common import spread, write
from benchmarks.ensemble import name_of, pictures

MODELS: dict[str, dict[str, Any]] = {
    "perceptron": {"kind": "mlp", "widths": [128]},
    "convolutional": {"kind": "cnn"},
}
SIZES = [2**power for power in range(13)]
BLOCKS, BLOCK_SECONDS = 5, 0.3
EPOCH = 60_000
STEPS = 1_000_000
"""More than anybody waits for."""


def cells_of(model: Mapping[str, Any]) -> tuple[Cell, ...]:
    """A cell for each batch size."""
    spec = {
        "dataset": {"kind": "mnist", "take": 8192, "validation": 256},
        "model": model,
        "batch_sizes": SIZES,
        "lr": {"rule": "fixed", "base": 0.001},
        "budget": {"steps": STEPS},
        "evaluate": {"every_steps": STEPS},
        "probes": [],
        "engine": "reference",
    }
    return expand(parse_spec(spec))


def blocks(cell: Cell, data: Any, device: str) -> Iterator[float]:
    """Mean seconds of an update in each block of the cell, without the first."""
    trained = by_name("reference").train([cell], data, device=device, block_seconds=BLOCK_SECONDS)
    next(trained)
    for block, _ in trained:
        yield block.train_seconds / block.n


def measure(model: Mapping[str, Any], device: str) -> dict[int, list[float]]:
    """Mean seconds of an update in each of `BLOCKS` blocks, by batch size."""
    cells = cells_of(model)
    data = pictures(cells[0])
    return {cell.batch_size: list(islice(blocks(cell, data, device), BLOCKS)) for cell in cells}


def table(model: str, found: Mapping[int, list[float]]) -> list[str]:
    """Milliseconds and seconds as a Markdown table: medians, in brackets the least and greatest."""
    lines = [f"| {model}, batch | ms per update | s per epoch |", "| --- | --- | --- |"]
    for size, seconds in found.items():
        n = ceil(EPOCH / size)
        update, epoch = ([scale * own for own in seconds] for scale in (1000.0, n))
        lines.append(f"| {size} | {spread(update, '.3f')} | {spread(epoch)} |")
    return [*lines, ""]


def main() -> None:
    torch.set_num_threads(1)
    device = device_for("auto", sys.argv[1] if sys.argv[1:] else "auto")
    tables = [line for model, own in MODELS.items() for line in table(model, measure(own, device))]
    doc = (__doc__ or "").split("\n\n")[2].replace("\n", " ")
    head = ["# Time per update and per epoch by batch size", "", f"Device: {name_of(device)}.", ""]
    write("figure_3_9", "\n".join([*head, *tables, doc]))


if __name__ == "__main__":
    main()
