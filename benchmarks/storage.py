"""Step values a second, and the thinning of a million steps, beside MLflow on SQLite.

    python -m benchmarks.storage

Both do the same work in turns within one run. Values go in through the worker's own recorder: one transaction a block,
with the lease renewed, the pyramid made and a checkpoint stored. MLflow is given its fastest way in (`log_batch`).
The results go to benchmarks/results/storage.md and storage.json.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np
from batchlab.engines.base import Block, CellBlock
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec
from batchlab_api.app import create_app
from batchlab_db import claims, curves, experiments, migrate, workers
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab_lab.servers import Postgres
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from benchmarks.common import RESULTS, ROOT, machine, write

PEER = ROOT / ".venv" / "peers" / "bin" / "python"
NAMES = ("loss", *(f"metric {i}" for i in range(1, 14)))
"""As many as the textbook experiment stores at every update, with some to spare."""
METRICS = len(NAMES)
BLOCK_STEPS = 10_000
"""Updates of a block of about a second, at the speed of the fastest small models."""
ROUNDS = 5
OURS, THEIRS = 200_000, 1_000
"""Steps of a round of writing: both then take some tenths of a second or more."""
LONG = 1_000_000
"""Steps of the series that is read."""
POINTS = 1000
CHECKPOINT = bytes(20_000)


class Engines:
    """One reference cell a cohort."""

    def choose(self, cells: Sequence[Any], device: str) -> tuple[str, int]:  # noqa: ARG002
        return "reference", 1

    def fingerprint(self, engine: str, device: str) -> Mapping[str, Any]:
        return {"engine": engine, "device": device}


class Lab:
    """An embedded PostgreSQL as the lab runs it, and a lease on one cell."""

    def __init__(self, url: str) -> None:
        settings = Settings(database_url=SecretStr(url), lease_seconds=3600)
        self.engine = make_engine(settings, role="worker")
        spec = parse_spec(
            {
                "dataset": {"kind": "sectors"},
                "model": {"kind": "softmax"},
                "batch_sizes": [1],
                "lr": {"rule": "fixed", "base": 0.5},
                "budget": {"steps": 100 * LONG},
            }
        )
        limits = WorkLimits(max_cells=1, max_updates=100 * LONG)
        self.experiment = experiments.submit(self.engine, spec, plan(spec, limits)).id
        self.http = TestClient(create_app(settings), base_url="http://127.0.0.1:8000")
        me = workers.WorkerInfo()
        workers.register(self.engine, me)
        lease = claims.claim(self.engine, me, settings, Engines())
        if lease is None:
            raise RuntimeError("there is nothing to claim")
        self.lease = lease
        self.steps = 0
        self.random = np.random.default_rng(0)

    def write(self, metrics: int, steps: int) -> float:
        """Seconds to record so many steps more, in blocks."""
        blocks = [self._block(metrics) for _ in range(steps // BLOCK_STEPS)]
        start = time.perf_counter()
        for block in blocks:
            claims.record(self.engine, self.lease, block, CHECKPOINT)
        return time.perf_counter() - start

    def _block(self, metrics: int) -> Block:
        first, self.steps = self.steps + 1, self.steps + BLOCK_STEPS
        values = self.random.standard_normal((metrics, BLOCK_STEPS)).astype(np.float32)
        updates = dict(zip(NAMES, values, strict=False))
        return Block({0: CellBlock(first, updates, np.empty(0, dtype=np.int64), {}, self.steps)})

    def read(self, last: int) -> float:
        """Seconds to thin the first `last` losses."""
        start = time.perf_counter()
        with self.engine.connect() as connection:
            curve = curves.read(connection, self.lease.cells[0].id, "loss", 1, last, points=POINTS)
        seconds = time.perf_counter() - start
        if curve.n_raw != last:
            raise RuntimeError(f"{curve.n_raw} of {last} values were found")
        return seconds

    def answer(self, last: int) -> float:
        """Seconds of the whole answer to a dashboard that asks for them, checks and JSON included."""
        start = time.perf_counter()
        asked: dict[str, str | int] = {"metrics": "loss", "from": 1, "to": last, "points": POINTS}
        self.http.get(f"/experiments/{self.experiment}/curves", params=asked).raise_for_status()
        return time.perf_counter() - start

    def size(self) -> int:
        """Bytes of the series."""
        with self.engine.connect() as connection:
            return int(connection.scalar(text("SELECT pg_total_relation_size('series_blocks')")) or 0)


class Peer:
    """The other side, a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        if not PEER.exists():
            raise SystemExit(f"{PEER} is missing: run this by `make bench`")
        command = [str(PEER), str(ROOT / "benchmarks" / "mlflow_peer.py")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
            yield cls(process)
            process.communicate()

    def ask(self, **command: Any) -> Any:
        """The peer's answer to one command."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the peer has no pipes")
        self.process.stdin.write(json.dumps(command) + "\n")
        return json.loads(self.process.stdout.readline())


def measure(lab: Lab, peer: Peer) -> dict[str, Any]:
    """Every figure; in turns, so that a busy machine is busy for both."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(METRICS * OURS / lab.write(METRICS, OURS))
        theirs.append(METRICS * THEIRS / peer.ask(write=[METRICS, THEIRS])["seconds"])
    sizes = lab.size() / (METRICS * lab.steps), peer.ask(size=None)["bytes"] / (METRICS * ROUNDS * THEIRS)
    peer.ask(write=[1, LONG - ROUNDS * THEIRS])
    lab.write(1, 10 * LONG - lab.steps)
    reads: dict[str, list[float]] = {"ours": [], "theirs": [], "answer": [], "ten": []}
    for _ in range(ROUNDS):
        reads["ours"].append(lab.read(LONG))
        reads["theirs"].append(peer.ask(read=POINTS)["seconds"])
        reads["answer"].append(lab.answer(LONG))
        reads["ten"].append(lab.read(10 * LONG))
    return {
        "values_per_second": {"batchlab": ours, "mlflow": theirs},
        "bytes_per_value": {"batchlab": sizes[0], "mlflow": sizes[1]},
        "read_seconds_of_1e6_steps": {"batchlab": reads["ours"], "mlflow": reads["theirs"]},
        "answer_seconds_of_1e6_steps": {"batchlab": reads["answer"]},
        "read_seconds_of_1e7_steps": {"batchlab": reads["ten"]},
        "mlflow": peer.ask(size=None)["version"],
        "machine": machine(),
    }


def report(found: Mapping[str, Any]) -> str:
    """The figures as a Markdown table: medians, and the range of the rounds."""
    rates, reads = found["values_per_second"], found["read_seconds_of_1e6_steps"]
    sizes, ten = found["bytes_per_value"], found["read_seconds_of_1e7_steps"]
    answer = found["answer_seconds_of_1e6_steps"]
    rows = [
        row("step values written a second", rates, 1, ",.0f"),
        row(f"at most {POINTS} points out of 1 000 000 steps, ms", reads, 1e3, ",.1f"),
        row("the same as the server's whole answer, ms", answer, 1e3, ",.1f"),
        row("the same out of 10 000 000 steps, ms", ten, 1e3, ",.1f"),
        row("bytes on disk for a value", {name: [size] for name, size in sizes.items()}, 1, ".1f"),
    ]
    return "\n".join([HEAD.format(version=found["mlflow"], rounds=ROUNDS), *rows, "", FOOT])


HEAD = """# Storing and reading series

batchlab on embedded PostgreSQL beside MLflow {version} on SQLite: medians of {rounds} rounds in turns, in brackets the
least and the greatest.

| | batchlab | MLflow | ratio |
| --- | --- | --- | --- |"""
FOOT = f"""Written: {METRICS} metrics a step. batchlab: blocks of {BLOCK_STEPS:,} steps through the recorder, each with
the pyramid, the lease and a checkpoint of {len(CHECKPOINT):,} bytes in one transaction that is flushed. MLflow:
`log_batch` with 1000 values at a time. Read: batchlab gives mean, minimum and maximum of every bucket of steps, so
that no spike is lost; MLflow's store (`get_metric_history_bulk_interval`, what its pages use) gives single values."""


def row(title: str, values: Mapping[str, Sequence[float]], unit: float, style: str) -> str:
    """A row of the table: both sides in a unit, and how many times the greater is the smaller."""
    ours, theirs = values["batchlab"], values.get("mlflow")
    if theirs is None:
        return f"| {title} | {spread(ours, unit, style)} | | |"
    small, large = sorted((median(ours), median(theirs)))
    return f"| {title} | {spread(ours, unit, style)} | {spread(theirs, unit, style)} | {large / small:,.0f} |"


def spread(values: Sequence[float], unit: float, style: str) -> str:
    """Median, least and greatest in a unit."""
    middle, least, greatest = (format(unit * value, style) for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least} to {greatest})"


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder,
        Postgres(Path(folder) / "postgres") as server,
        Peer.running() as peer,
    ):
        migrate.upgrade(server.url)
        found = measure(Lab(server.url), peer)
    write("storage", report(found))
    (RESULTS / "storage.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
