"""Sweeps of small networks by the core alone, beside plain PyTorch and JAX on the same rows in the same order.

    python -m benchmarks.sweeps [ROUNDS]     (by `make bench`: JAX lives in an environment of its own)

Textbook: figure 6.7.1, sixteen batch sizes, softmax regression on 800 points, every update's loss and norms, both
splits evaluated every 80 updates; 500 epochs and 5 seeds. PyTorch trains a hundredth of it (5 epochs), whose time is
multiplied: its time for an update is the same throughout. MNIST: a perceptron 784-128-10 under momentum, batch 10, 100
and 1000, four rates, two seeds, one epoch, every update's loss and norms. One thread each; imports and reading are not
counted, compiling is. Each round starts every side in a process of its own, one after the other: batchlab with an
empty cache of machine code, then with a full one.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from batchlab.cell import Cell
from batchlab.datasets import split
from batchlab.engines import by_name
from batchlab.engines.batches import order
from batchlab.expand import expand
from batchlab.spec import parse_spec

from benchmarks.common import ROOT, SHARED, write

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
}
WIDTHS = {"textbook": [2, 3], "mnist": [784, 128, 10]}


def cells_of(workload: str) -> tuple[Cell, ...]:
    return expand(parse_spec(WORKLOADS[workload] | {"engine": "compiled"}))


def ours(workload: str) -> None:
    """Train the sweep in this process and print its seconds and updates."""
    cells = cells_of(workload)
    data = cells[0].dataset.load(SHARED)
    engine = by_name("compiled")
    began, updates = perf_counter(), 0
    for block, _ in engine.train(cells, data):
        updates += sum(len(own.updates["loss"]) for own in block.cells.values())
    print(json.dumps({"seconds": perf_counter() - began, "updates": updates}))


def parts(workload: str, folder: Path, epochs: int) -> Path:
    """What the peers train on: each seed's rows, and the orders of its epochs."""
    cells = cells_of(workload)
    found: dict[str, Any] = {"sizes": [c.batch_size for c in cells if c.seed == 0 and c.lr == cells[0].lr]}
    found["widths"] = WIDTHS[workload]
    seeds = [cell for cell in cells if cell.batch_size == cells[0].batch_size and cell.lr == cells[0].lr]
    data = cells[0].dataset.load(SHARED)
    for cell in seeds:
        both = split(cell.dataset, data, cell.seed)
        for name, (x, y) in (("", both.train), ("v", both.validation)):
            found |= {f"x{name}{cell.seed}": x.reshape(len(x), -1), f"y{name}{cell.seed}": y}
    found["orders"] = np.stack([[order(cell, epoch) for epoch in range(epochs)] for cell in seeds])
    path = folder / f"{workload}-{epochs}.npz"
    np.savez(path, **found)
    return path


def run(command: Sequence[str], **environment: str) -> float:
    """The seconds that a side prints."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    environ = {**os.environ, **threads, **flags, **environment}
    pinned = ["taskset", "-c", "0", *command]
    done = subprocess.run(pinned, cwd=ROOT, env=environ, stdout=subprocess.PIPE, check=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def measure(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of every side, workload by workload, in turns."""
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder:
        for workload in WORKLOADS:
            whole = parts(workload, Path(folder), WORKLOADS[workload]["budget"]["epochs"])
            few = parts(workload, Path(folder), 500 // SHARE) if workload == "textbook" else whole
            times = found.setdefault(workload, {"cold": [], "warm": [], "torch": [], "jax": []})
            for number in range(rounds):
                own = [sys.executable, "-m", "benchmarks.sweeps", "--ours", workload]
                cache = {"NUMBA_CACHE_DIR": f"{folder}/{workload}-{number}"}
                peers = str(ROOT / "benchmarks" / "sweep_peers.py")
                times["cold"].append(run(own, **cache))
                times["torch"].append(
                    run([sys.executable, peers, "torch", workload, str(few)]) * (SHARE if few is not whole else 1)
                )
                times["warm"].append(run(own, **cache))
                if PEERS.exists():
                    times["jax"].append(run([str(PEERS), peers, "jax", workload, str(whole)]))
    return found


def report(found: Mapping[str, Mapping[str, Sequence[float]]], rounds: int) -> str:
    """The times as a Markdown table."""
    lines = [
        "# Sweeps of small networks",
        "",
        f"Seconds on one thread, medians of {rounds} rounds in turns, in brackets the least and the greatest; "
        "ratios of the medians.",
        "",
        "| sweep | batchlab, first time | batchlab | plain PyTorch | JAX | times PyTorch (first) | times JAX (first) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for workload, times in found.items():
        middle = {side: median(values) if values else float("nan") for side, values in times.items()}
        cells = [f"{middle[s]:.2f} ({min(v):.2f} to {max(v):.2f})" if (v := times[s]) else "" for s in
                 ("cold", "warm", "torch", "jax")]  # fmt: skip
        ratios = [
            f"{middle[peer] / middle['warm']:.1f} ({middle[peer] / middle['cold']:.1f})" for peer in ("torch", "jax")
        ]
        lines.append(f"| {workload} | {' | '.join([*cells, *ratios])} |")
    doc = (__doc__ or "").split("\n\n")[2].replace("\n", " ")
    return "\n".join([*lines, "", doc])


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
