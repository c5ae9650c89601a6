"""Sweeps of small networks by the core alone, beside plain PyTorch and JAX on the same rows in the same order.

    python -m benchmarks.sweeps [ROUNDS]     (by `make bench`: JAX lives in an environment of its own)

Textbook: figure 6.7.1, sixteen batch sizes, softmax regression on 800 points, every update's loss and norms, both
splits evaluated every 80 updates; 500 epochs and 5 seeds. PyTorch trains a hundredth of it (5 epochs), whose time is
multiplied: its time for an update is the same throughout. MNIST: a perceptron 784-128-10 under momentum, batch 10, 100
and 1000, four rates, two seeds, one epoch, every update's loss and norms. Conv: a small convolutional network under
momentum on 8192 pictures of MNIST, eight batch sizes, two epochs, every update's loss and norms, evaluated before and
after; no JAX, and nothing to compile. One thread each; imports and reading are not counted, compiling is. Each round
starts every side in a process of its own, one after the other: batchlab with an empty cache of machine code, then with
a full one. Ratios are those of a round.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from batchlab.cell import Cell
from batchlab.datasets import split
from batchlab.engines import choose
from batchlab.engines.batches import order
from batchlab.expand import expand
from batchlab.spec import parse_spec

from benchmarks.common import ROOT, SHARED, cohorts, spread, write

PEERS = ROOT / ".venv" / "peers" / "bin" / "python"
SHARE = 100
"""PyTorch trains one such part of the textbook's epochs."""
ROUNDS = 5
WORKLOADS: dict[str, dict[str, Any]] = {
    "textbook": {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [1, 2, 4, 8, 10, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 128],
        "lr": {"rule": "fixed", "base": 0.5},
        "budget": {"epochs": 500},
        "seeds": 5,
        "evaluate": {"every_steps": 80},
        "probes": [{"kind": "grad_norm"}],
    },
    "mnist": {
        "dataset": {"kind": "mnist"},
        "model": {"kind": "mlp", "widths": [128]},
        "batch_sizes": [10, 100, 1000],
        "lr": {"rule": "list", "values": [0.01, 0.02, 0.05, 0.1]},
        "momentum": 0.9,
        "budget": {"epochs": 1},
        "seeds": 2,
        "probes": [{"kind": "grad_norm"}],
    },
    "conv": {
        "dataset": {"kind": "mnist", "take": 8192},
        "model": {"kind": "cnn"},
        "batch_sizes": [32, 64, 128, 192, 256, 512, 768, 1024],
        "lr": {"rule": "fixed", "base": 0.05},
        "momentum": 0.9,
        "budget": {"epochs": 2},
        "probes": [{"kind": "grad_norm"}],
    },
}
WIDTHS = {"textbook": [2, 3], "mnist": [784, 128, 10]}
"""Of the perceptrons."""
SIDES = {"textbook": ("cold", "torch", "warm", "jax"), "mnist": ("cold", "torch", "warm", "jax"),
         "conv": ("warm", "torch")}  # fmt: skip
Found = Mapping[str, Any]
"""What a side prints: `seconds`, and `by_size`, those of each batch size, where cells are trained one by one."""


def cells_of(workload: str) -> tuple[Cell, ...]:
    return expand(parse_spec(WORKLOADS[workload]))


def ours(workload: str) -> None:
    """Train the sweep in this process and print its seconds and updates."""
    cells = cells_of(workload)
    data = cells[0].dataset.load(SHARED)
    engine, by_size = choose(cells[0], "cpu"), dict[str, float]()
    began, updates = perf_counter(), 0
    for cohort in cohorts(engine, cells):
        start = perf_counter()
        for block, _ in engine.train(cohort, data):
            updates += sum(len(own.updates["loss"]) for own in block.cells.values())
        if len(cohort) == 1:
            by_size[str(cohort[0].batch_size)] = perf_counter() - start
    print(json.dumps({"seconds": perf_counter() - began, "updates": updates, "by_size": by_size}))


def parts(workload: str, folder: Path, epochs: int) -> Path:
    """What the peers train on: each seed's rows, and the orders of its epochs."""
    cells = cells_of(workload)
    found: dict[str, Any] = {"sizes": [c.batch_size for c in cells if c.seed == 0 and c.lr == cells[0].lr]}
    found["widths"] = WIDTHS.get(workload, [])
    seeds = [cell for cell in cells if cell.batch_size == cells[0].batch_size and cell.lr == cells[0].lr]
    data = cells[0].dataset.load(SHARED)
    for cell in seeds:
        both = split(cell.dataset, data, cell.seed)
        for name, (x, y) in (("", both.train), ("v", both.validation)):
            found |= {f"x{name}{cell.seed}": x.reshape(len(x), -1) if workload in WIDTHS else x}
            found |= {f"y{name}{cell.seed}": y}
    found["orders"] = np.stack([[order(cell, epoch) for epoch in range(epochs)] for cell in seeds])
    path = folder / f"{workload}-{epochs}.npz"
    np.savez(path, **found)
    return path


def run(command: Sequence[str], **environment: str) -> Found:
    """What a side prints."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    environ = {**os.environ, **threads, **flags, **environment}
    pinned = ["taskset", "-c", "0", *command]
    done = subprocess.run(pinned, cwd=ROOT, env=environ, stdout=subprocess.PIPE, check=True, text=True)
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(rounds: int) -> dict[str, dict[str, list[Found]]]:
    """What every side prints, workload by workload, in turns."""
    found: dict[str, dict[str, list[Found]]] = {}
    peers = str(ROOT / "benchmarks" / "sweep_peers.py")
    with tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder:
        for workload, sides in SIDES.items():
            epochs = WORKLOADS[workload]["budget"]["epochs"]
            whole = parts(workload, Path(folder), epochs)
            few = parts(workload, Path(folder), epochs // SHARE) if workload == "textbook" else whole
            own = [sys.executable, "-m", "benchmarks.sweeps", "--ours", workload]
            commands = {
                **dict.fromkeys(("cold", "warm"), own),
                "torch": [sys.executable, peers, "torch", workload, str(few)],
                "jax": [str(PEERS), peers, "jax", workload, str(whole)],
            }
            there = [side for side in sides if side != "jax" or PEERS.exists()]
            times = found.setdefault(workload, {side: [] for side in there})
            for number in range(rounds):
                for side in there:
                    got = run(commands[side], NUMBA_CACHE_DIR=f"{folder}/{workload}-{number}")
                    scale = SHARE if side == "torch" and few is not whole else 1
                    times[side].append({**got, "seconds": scale * got["seconds"]})
    return found


def report(found: Mapping[str, Mapping[str, Sequence[Found]]], rounds: int) -> str:
    """The times as Markdown tables."""
    lines = [
        "# Sweeps of small networks",
        "",
        f"Seconds on one thread and ratios: medians of {rounds} rounds in turns, in brackets the least and greatest.",
        "",
        "| sweep | batchlab, first time | batchlab | plain PyTorch | JAX | PyTorch / first | PyTorch / batchlab "
        "| JAX / first | JAX / batchlab |",
        f"|{' --- |' * 9}",
    ]
    for workload, sides in found.items():
        times = {side: [one["seconds"] for one in got] for side, got in sides.items()}
        seconds = [spread(times.get(side, [])) for side in ("cold", "warm", "torch", "jax")]
        ratios = [ratio(times, peer, own) for peer in ("torch", "jax") for own in ("cold", "warm")]
        lines.append(f"| {workload} | {' | '.join([*seconds, *ratios])} |")
    doc = (__doc__ or "").split("\n\n")[2].replace("\n", " ")
    return "\n".join([*lines, "", *by_size(found["conv"]), "", doc])


def by_size(sides: Mapping[str, Sequence[Found]]) -> list[str]:
    """The convolutional sweep, batch size by batch size."""
    lines = ["| conv, batch | batchlab | plain PyTorch | PyTorch / batchlab |", "| --- | --- | --- | --- |"]
    for size in map(str, WORKLOADS["conv"]["batch_sizes"]):
        times = {side: [one["by_size"][size] for one in got] for side, got in sides.items()}
        lines.append(
            f"| {size} | {spread(times['warm'])} | {spread(times['torch'])} | {ratio(times, 'torch', 'warm')} |"
        )
    return lines


def ratio(times: Mapping[str, Sequence[float]], peer: str, own: str) -> str:
    """How many times as long the peer takes, round by round."""
    return spread([a / b for a, b in zip(times.get(peer, []), times.get(own, []), strict=False)])


def main() -> None:
    if "--ours" in sys.argv:
        ours(sys.argv[-1])
        return
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    found = measure(rounds)
    write("sweeps", report(found, rounds))
    (ROOT / "benchmarks" / "results" / "sweeps.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
