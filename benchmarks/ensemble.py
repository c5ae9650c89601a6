"""An ensemble of 256 small networks by the stacked engine, beside plain PyTorch and JAX on the same rows.

    python -m benchmarks.ensemble [DEVICE [ROUNDS]]     (JAX: from the environment that `make bench` makes)

256 perceptrons 784-128-10 under momentum 0.9, batch 32, each with its own weights and order of 2048 pictures of MNIST,
or of noise where MNIST is not there; the loss of every update is kept. The stacked engine trains them in cohorts as
large as it takes, one after the other; PyTorch trains a few of them, one after the other, whose time for an update is
that of all; JAX trains all at once, `vmap` over networks and `scan` over updates. An update is one step of one network.
Each round starts every side in a process of its own, one after the other, on one thread; each takes as many updates
again before those that are timed, so that compiling and capturing are not counted, and evaluations are not. Ratios are
those of a round. Products and bytes are counted from the network: a pass there and back, and an update that reads the
weights twice and the gradient and the velocity once, and writes each once. Rates are measured in the same process.
"""

import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from batchlab.cell import Cell
from batchlab.datasets import Arrays, split
from batchlab.engines import by_name, device_for, plan
from batchlab.engines.batches import order
from batchlab.engines.task import exact_arithmetic
from batchlab.expand import expand
from batchlab.spec import parse_spec

from benchmarks.common import ROOT, SHARED, spread, write
from benchmarks.floors import FLOAT, layers, rate
from benchmarks.sweeps import PEERS, Found, ratio, run

ROUNDS = 3
NETWORKS, BATCH, ROWS = 256, 32, 2048
"""Networks, rows of a batch and of the training table."""
UPDATES = {"cpu": 8, "cuda": 512}
"""Updates of each network that are timed."""
MOVED = 7
"""Numbers that an update reads or writes for each weight."""
SIDES = ("batchlab", "PyTorch", "JAX")


def cells_of(updates: int) -> tuple[Cell, ...]:
    """The networks; none is evaluated before the last update, which nobody waits for."""
    spec = {
        "dataset": {"kind": "mnist", "take": ROWS, "validation": 256},
        "model": {"kind": "mlp", "widths": [128]},
        "batch_sizes": [BATCH],
        "lr": {"rule": "fixed", "base": 0.05},
        "momentum": 0.9,
        "budget": {"steps": 2 * updates + 1},
        "evaluate": {"every_steps": 2 * updates + 1},
        "seeds": NETWORKS,
        "split_seed": 0,
        "probes": [],
        "engine": "stacked",
    }
    return expand(parse_spec(spec))


def pictures(cell: Cell) -> Arrays:
    """MNIST, or as many numbers by chance as pictures of it are needed."""
    if cell.dataset.available(SHARED):
        return cell.dataset.load(SHARED)  # type: ignore[no-any-return]
    draws, n = np.random.default_rng(0), cell.rows + cell.dataset.held_out
    x = draws.random((n, *cell.info.shape), np.float32)
    return Arrays(x, draws.integers(0, cell.info.outputs, n), x[:1], np.zeros(1, np.int64))


def ours(device: str) -> None:
    """Train all networks in this process; print what it took and what the device can do."""
    exact_arithmetic()
    updates = UPDATES[device.partition(":")[0]]
    cells = rest = cells_of(updates)
    data, seconds, cohorts = pictures(cells[0]), 0.0, []
    while rest:
        engine, n = plan(rest, device)
        options: dict[str, Any] = {"device": device, "block_seconds": math.inf, "block_steps": updates}
        blocks = by_name(engine).train(rest[:n], data, **options)
        next(blocks)
        began = perf_counter()
        next(blocks)
        seconds += perf_counter() - began
        cohorts.append(n)
        rest = rest[n:]
        del blocks  # and with it the stack
    usual, _ = plan([cell.model_copy(update={"engine": "auto"}) for cell in cells], device)
    each = NETWORKS * updates / seconds
    found = {"rate": each, "device": name_of(device), "cohorts": cohorts, "usual": usual}
    print(json.dumps(found | {"shares": shares(cells[0], each, device)}))


def shares(cell: Cell, updates: float, device: str) -> dict[str, float]:
    """What so many updates a second are of the device's products and of its bytes."""
    own, parameters = layers(cell), cell.model.parameters(cell.info.shape, cell.info.outputs)
    weights = sum(math.prod(shape) for shape in parameters.values())
    side, size = (512, 2**26) if device == "cpu" else (8192, 2**30)
    a, source = torch.ones(side, side, device=device), torch.ones(size // FLOAT, device=device)
    into = torch.empty_like(source)

    def finished(_: torch.Tensor) -> None:
        if device != "cpu":
            torch.cuda.synchronize(device)

    products = rate(2.0 * side**3, lambda: finished(a @ a))
    copied = rate(2.0 * size, lambda: finished(into.copy_(source)))
    return {
        "products": updates * BATCH * (3 * own.forward - own.first) / products,
        "bytes": updates * FLOAT * MOVED * weights / copied,
        "products_rate": products,
        "bytes_rate": copied,
    }


def name_of(device: str) -> str:
    """What the device is called."""
    return "CPU, one thread" if device == "cpu" else str(torch.cuda.get_device_name(device))


def parts(folder: Path, updates: int) -> Path:
    """What the peers train on: the rows, and those of every update of each network, (networks, updates, batch)."""
    cells = cells_of(updates)
    x, y = split(cells[0].dataset, pictures(cells[0]), 0).train
    epochs = range(max(2, -(-2 * updates // cells[0].steps_per_epoch)))
    rows = np.stack([np.concatenate([order(cell, epoch) for epoch in epochs]) for cell in cells]).astype(np.int32)
    path = folder / "ensemble.npz"
    np.savez(path, x=x.reshape(len(x), -1), y=y, rows=rows.reshape(NETWORKS, -1, BATCH), updates=updates)
    return path


def measure(device: str, rounds: int) -> dict[str, list[Found]]:
    """What every side prints, in turns."""
    peers, on = str(ROOT / "benchmarks" / "ensemble_peers.py"), {"JAX_PLATFORMS": "cpu"} if device == "cpu" else {}
    with tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder:
        path = str(parts(Path(folder), UPDATES[device.partition(":")[0]]))
        commands = {
            "batchlab": [sys.executable, "-m", "benchmarks.ensemble", "--ours", device],
            "PyTorch": [sys.executable, peers, "torch", device, path],
            "JAX": [str(PEERS), peers, "jax", device, path],
        }
        there = [side for side in SIDES if side != "JAX" or PEERS.exists()]
        turns = [{side: run(commands[side], **on) for side in there} for _ in range(rounds)]
    return {side: [turn[side] for turn in turns] for side in there}


def report(found: Mapping[str, Sequence[Found]], rounds: int) -> str:
    """The rates as a Markdown table, and the shares."""
    rates = {side: [one["rate"] for one in got] for side, got in found.items()}
    first = found["batchlab"][0]
    share = {name: median(one["shares"][name] for one in found["batchlab"]) for name in first["shares"]}
    lines = [
        "# An ensemble of small networks",
        "",
        f"Updates a second: medians of {rounds} rounds in turns, in brackets the least and greatest.",
        "",
        "| side | device | updates a second | batchlab / this |",
        "| --- | --- | --- | --- |",
        *(f"| {side} | {found[side][0]['device']} | {spread(own)} | {ratio(rates, 'batchlab', side)} |"
          for side, own in rates.items()),
        "",
        f"Cohorts of {', '.join(map(str, first['cohorts']))}; `auto` would train such networks by the engine "
        f"`{first['usual']}` here. The stacked engine makes {share['products']:.0%} of the "
        f"device's products ({share['products_rate'] / 1e9:,.0f} GFLOP/s in float32) and moves {share['bytes']:.0%} of "
        f"its bytes ({share['bytes_rate'] / 1e9:,.0f} GB/s read and written by a copy).",
        "",
        (__doc__ or "").split("\n\n")[2].replace("\n", " "),
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    if "--ours" in sys.argv:
        torch.set_num_threads(1)
        ours(sys.argv[-1])
        return
    device = device_for("auto", sys.argv[1] if sys.argv[1:] else "auto")
    rounds = int(sys.argv[2]) if sys.argv[2:] else ROUNDS
    write("ensemble", report(measure(device, rounds), rounds))


if __name__ == "__main__":
    main()
