"""The rates of this machine, for `batchlab.cost`: measured once, by the engines, and kept in the user's cache.

Each engine trains a handful of networks whose updates differ in what they consist of; rates are the non-negative least
squares over these runs, each in shares of its own time (Lawson & Hanson 1974), so that a short update counts as much as
a long one.
"""

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from batchlab import cost, engines
from batchlab.cell import Cell
from batchlab.cores import usable_cores
from batchlab.cost import Costs, Rates
from batchlab.datasets import Arrays
from batchlab.expand import expand
from batchlab.spec import parse_spec

EDITION = 3
"""Raised where what is measured changes, or how fast an engine is: rates of another edition are measured anew."""
SHARE = 1 / 4
"""Of the memory that a process may count on, what a stack may hold."""
MOST_BYTES = {"cpu": 2**30, "cuda": 2**35}

SOFTMAX: dict[str, Any] = {"kind": "softmax"}
CNN: dict[str, Any] = {"kind": "cnn"}
SLIM: dict[str, Any] = {"kind": "cnn", "channels": [4, 8], "width": 16}
WIDE: dict[str, Any] = {"kind": "cnn", "channels": [48, 96], "width": 16}


def _mlp(*widths: int) -> dict[str, Any]:
    return {"kind": "mlp", "widths": [*widths]}


Run = tuple[dict[str, Any], int, int, int]
"""A model, a batch size, how many cells together, and updates."""
RUNS: Mapping[str, Sequence[Run]] = {
    "reference": [
        (SOFTMAX, 1, 1, 120), (_mlp(32, 32, 32, 32), 16, 1, 80), (_mlp(512, 512), 8, 1, 40),
        (_mlp(512, 512), 256, 1, 15), (_mlp(32), 1024, 1, 40), (CNN, 8, 1, 40), (CNN, 256, 1, 12), (SLIM, 64, 1, 40),
        (WIDE, 64, 1, 10),
    ],
    "layer": [(SOFTMAX, 1, 1, 6000), (SOFTMAX, 16, 1, 4000), (SOFTMAX, 256, 1, 1000)],
    "compiled": [
        (_mlp(8), 1, 1, 4000), (_mlp(16, 16, 16), 16, 1, 2000), (_mlp(512, 512), 8, 1, 40),
        (_mlp(512, 512), 256, 1, 15), (_mlp(32), 1024, 1, 60),
    ],
    "stacked": [
        (SOFTMAX, 1, 2, 60), (SOFTMAX, 1, 32, 60), (_mlp(32, 32, 32, 32), 16, 8, 30), (_mlp(256, 256), 8, 8, 20),
        (_mlp(256, 256), 128, 4, 12), (_mlp(32), 512, 8, 20), (CNN, 8, 4, 15), (CNN, 128, 4, 6), (SLIM, 64, 8, 10),
        (WIDE, 32, 4, 6),
    ],
}  # fmt: skip
PLANE: Mapping[str, Sequence[Run]] = {"layer": [(SOFTMAX, 1, 1, 20_000), (SOFTMAX, 32, 1, 10_000)]}
"""Those over points of the plane (`sectors`); the others are over the digits, of 64 pixels."""
PATIENCE = 60.0
"""Seconds to wait for another process that measures; then this one does."""
SLACK = 3
"""First updates that are not counted."""


def rates(device: str, *, anew: bool = False) -> Rates:
    """Those of this device: as they were measured before (or `anew`), else measured now, for some seconds.

    Of several processes that ask at once, one measures and the others wait. Where the cache cannot be written, each
    process measures for itself.
    """
    if anew:
        _found.cache_clear()
    return _found(device, anew)


def known(device: str, threads: int | None = None) -> Rates | None:
    """Those that were measured before, by processes of so many threads (default: as many as here); None where none
    were."""
    return _read(_place(device, threads))


@cache
def _found(device: str, anew: bool) -> Rates:
    place = _place(device)
    with _alone(place):
        found = None if anew else _read(place)
        if found is None:
            found = measure(device)
            _write(place, found)
    return found


def _place(device: str, threads: int | None = None) -> Path:
    """The file for what the rates depend on: the machine, the versions, the threads, and the measurement itself."""
    facts = engines.fingerprint("compiled", device)
    facts |= {"edition": EDITION, "cores": os.cpu_count(), "model": processor()}
    facts |= {} if threads is None else {"threads": threads}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    folder = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(folder) / "batchlab" / f"rates-{digest}.json"


def processor() -> str:
    """The processor by name, as far as the system tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = place.with_suffix(".lock").open("w")
    except OSError:  # nothing to share
        yield
        return
    with lock:
        until = monotonic() + PATIENCE
        while not _locked(lock) and monotonic() < until:
            sleep(0.05)
        yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(place: Path) -> Rates | None:
    try:
        return Rates.model_validate_json(place.read_text())
    except (OSError, ValueError):
        return None


def _write(place: Path, found: Rates) -> None:
    made = place.with_suffix(f".{os.getpid()}")
    with suppress(OSError):  # measured again by the next process
        made.write_text(found.model_dump_json(indent=1))
        made.replace(place)


def measure(device: str) -> Rates:
    """Run them all on this device. ArithmeticError where a stack does not give the reference's losses there."""
    _check(device)
    names = [name for name in RUNS if device == "cpu" or name not in ("layer", "compiled")]
    fits = {name: _fit(name, device) for name in names}
    return Rates(
        **{name: costs for name, (costs, _) in fits.items()},
        misfit=max(misfit for _, misfit in fits.values()),
        bytes=int(min(MOST_BYTES[device.partition(":")[0]], SHARE * _memory(device))),
        threads=_by_threads() if device == "cpu" else {},
    )


def _check(device: str) -> None:
    """A device is trusted with stacks that gives, for each of two cells, what the reference gives there."""
    cells, data = _cells("reference", (_mlp(16), 32, 2, 20))
    alone = np.array([_curves("reference", [cell], data, device, "loss")[0] for cell in cells])
    together = _curves("stacked", cells, data, device, "loss")
    if not np.allclose(together, alone, rtol=1e-3):
        raise ArithmeticError(
            f"a stack on {device} is {abs(together / alone - 1).max():.0%} off the reference's losses"
        )


def _fit(name: str, device: str) -> tuple[Costs, float]:
    """The rates of an engine, and by how much they miss its runs at most, as a share."""
    from scipy.optimize import nnls  # a quarter of a second, which workers of a machine that is known need not wait

    engine = "compiled" if name == "layer" else name
    rows, times = [], []
    runs = [("digits", run) for run in RUNS[name]] + [("sectors", run) for run in PLANE.get(name, ())]
    for dataset, run in runs:
        cells, data = _cells(engine, run, dataset)
        times.append(seconds(engine, cells, data, device))
        rows.append(cost.features(cells[0], len(cells)))
    shares = np.array(rows, float) / np.array(times)[:, None]
    if name != "stacked":  # of one cell, `cell` would be one with `update`
        shares[:, list(Costs.model_fields).index("cell")] = 0.0
    scale = np.where(shares.max(0) > 0, shares.max(0), 1.0)  # features differ by powers of ten
    found, _ = nnls(shares / scale, np.ones(len(times)))
    costs = found / scale
    return Costs(**dict(zip(Costs.model_fields, costs.tolist(), strict=True))), float(abs(shares @ costs - 1).max())


def _cells(engine: str, run: Run, dataset: str = "digits") -> tuple[Sequence[Cell], Arrays]:
    model, batch, together, steps = run
    spec = {
        "dataset": {"kind": dataset},
        "model": model,
        "batch_sizes": [batch],
        "lr": {"rule": "fixed", "base": 1e-3},
        "momentum": 0.9,
        "budget": {"steps": steps},
        "seeds": together,
        "evaluate": {"every_steps": steps},
        "engine": engine,
    }
    cells = expand(parse_spec(spec))
    return cells, cells[0].load(lambda dataset: dataset.load(Path()))


def seconds(engine: str, cells: Sequence[Cell], data: Arrays, device: str) -> float:
    """The median of the seconds of an update of these cells, all of them at once."""
    return float(np.median(_curves(engine, cells, data, device)[0, SLACK:]))


def _curves(
    engine: str, cells: Sequence[Cell], data: Arrays, device: str, metric: str = "step_seconds"
) -> NDArray[np.float32]:
    """A metric at every update of each cell: (cells, updates)."""
    trained = engines.by_name(engine).train(cells, data, device=device, block_seconds=60.0)
    blocks = [block.cells for block, _ in trained]
    return np.array([np.concatenate([own[i].updates[metric] for own in blocks]) for i in range(len(cells))])


def _memory(device: str) -> float:
    """Bytes that a worker process may count on: a core's part of the machine's, or its card's."""
    if device.startswith("cuda"):
        return float(torch.cuda.get_device_properties(device).total_memory)
    return float(psutil.virtual_memory().total) / usable_cores()


def _by_threads() -> dict[int, float]:
    """How many times as fast a convolutional network is trained by all cores."""
    own, cores = torch.get_num_threads(), usable_cores()
    if own == cores:
        return {}
    cells, data = _cells("reference", (CNN, 256, 1, 12))
    found = {}
    try:
        for threads in (own, cores):
            torch.set_num_threads(threads)
            found[threads] = seconds("reference", cells, data, "cpu")
    finally:
        torch.set_num_threads(own)
    return {cores: found[own] / found[cores]}
