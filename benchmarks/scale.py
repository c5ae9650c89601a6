"""Two workers beside two bare processes, and the queue under a hundred workers.

    python -m benchmarks.scale

First two workers of a lab and two processes with the core alone train the same cells, in turns. Then a hundred threads,
each a worker on a machine of its own and with a connection of its own, take, record and finish cells that train
nothing out of ten thousand queued ones, with the lab's real statements: what of the database gives way first, and at
how many slices a second. Results go to benchmarks/results/scale.md.
"""

import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from batchlab.engines.base import Block, CellBlock, Ending
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec
from batchlab_client import Client
from batchlab_db import claims, experiments, migrate, workers
from batchlab_db.demand import demand
from batchlab_db.engine import TIMEOUTS
from batchlab_db.settings import Settings
from batchlab_db.workers import WorkerInfo
from batchlab_lab.embedded import Embedded
from batchlab_lab.home import Home
from batchlab_lab.servers import Postgres
from sqlalchemy import Engine, create_engine, event, text

from benchmarks import bare
from benchmarks.common import spread, write
from benchmarks.service import JOB, through_the_lab

ROUNDS = 5
WORKERS, EXPERIMENTS, SEEDS = 100, 10, 1000
SECONDS = 30.0
STEPS = 100
SAMPLE_SECONDS = 0.1
_WAITING = text(
    "SELECT coalesce(wait_event_type, 'CPU') AS kind, count(*) AS n FROM pg_stat_activity "
    "WHERE state = 'active' AND pid <> pg_backend_pid() AND application_name = 'scale' GROUP BY 1"
)


class Engines:
    """One cell a cohort."""

    def choose(self, cells: Sequence[Any], device: str) -> tuple[str, int]:  # noqa: ARG002
        return "reference", 1

    def fingerprint(self, engine: str, device: str) -> Mapping[str, Any]:
        return {"engine": engine, "device": device}


class Statements:
    """Seconds and calls by statement."""

    def __init__(self, engine: Engine) -> None:
        self.found: dict[str, list[float]] = defaultdict(list)
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, _c: Any, _cursor: Any, _sql: str, _p: Any, context: Any, _many: bool) -> None:
        context.began = time.perf_counter()

    def _after(self, _c: Any, _cursor: Any, sql: str, _p: Any, context: Any, _many: bool) -> None:
        self.found[" ".join(sql.split())[:60]].append(time.perf_counter() - context.began)

    def worst(self, n: int) -> list[tuple[str, float, int]]:
        """Those that take most in all: the statement, its share of the time of all, and its calls."""
        whole = sum(map(sum, self.found.values()))
        parts = [(sql, sum(took) / whole, len(took)) for sql, took in list(self.found.items())]
        return sorted(parts, key=lambda part: -part[1])[:n]


class Queue:
    """Ten thousand queued cells, and workers that end one after the other."""

    def __init__(self, url: str) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in TIMEOUTS["worker"].items())
        self.engine = create_engine(
            url,
            pool_size=WORKERS + 2,
            connect_args={"options": options, "application_name": "scale"},
        )
        self.settings = Settings(lease_seconds=3600, alive_seconds=3600)
        self.over = threading.Event()
        self.slices: list[float] = []
        self.wrong: list[str] = []
        spec = parse_spec({**JOB, "seeds": SEEDS, "budget": {"steps": STEPS}})
        costs = plan(spec, WorkLimits(max_cells=10_000, max_updates=10**9))
        for _ in range(EXPERIMENTS):
            experiments.submit(self.engine, spec, costs)

    def work(self, number: int) -> None:
        """A worker: claim, renew, record, look for more, beat."""
        me = WorkerInfo(machine=f"machine-{number}", datasets=(JOB["dataset"]["kind"],))
        workers.register(self.engine, me)
        while not self.over.is_set():
            began = time.perf_counter()
            try:
                lease = claims.claim(self.engine, me, self.settings, Engines())
                if lease is None:
                    return
                claims.renew(self.engine, lease, "train")
                claims.record(self.engine, lease, _whole(lease), b"state")
                demand(self.engine, self.settings)
                workers.heartbeat(self.engine, me)
            except Exception as error:
                self.wrong.append(f"{type(error).__name__}: {error}".splitlines()[0])
                continue
            self.slices.append(time.perf_counter() - began)

    def sample(self, waits: dict[str, int]) -> None:
        """What the sessions wait for."""
        with self.engine.connect() as connection:
            while not self.over.wait(SAMPLE_SECONDS):
                for kind, n in connection.execute(_WAITING):
                    waits[kind] += n
                connection.rollback()


def _whole(lease: claims.Lease) -> Block:
    """All updates of a cell, and its end."""
    losses = np.zeros(STEPS, dtype=np.float32) + np.arange(STEPS, dtype=np.float32)
    cell = CellBlock(1, {"loss": losses}, np.empty(0, dtype=np.int64), {}, STEPS, Ending("succeeded", {}))
    return Block(dict.fromkeys(sorted(lease.open), cell))


def simulate(url: str, threads: int) -> list[str]:
    """A row for so many workers, and the statements that take most."""
    queue = Queue(url)
    statements, waits = Statements(queue.engine), defaultdict[str, int](int)
    crew = [threading.Thread(target=queue.work, args=(n,)) for n in range(threads)]
    crew.append(threading.Thread(target=queue.sample, args=(waits,)))
    ours, began = psutil.Process().cpu_times(), time.perf_counter()
    for thread in crew:
        thread.start()
    time.sleep(SECONDS)
    queue.over.set()
    for thread in crew:
        thread.join()
    seconds, cpu = time.perf_counter() - began, psutil.Process().cpu_times()
    client = (cpu.user + cpu.system - ours.user - ours.system) / seconds
    p50, p99 = (1000 * float(np.percentile(queue.slices or [0.0], q)) for q in (50, 99))
    kinds = ", ".join(f"{kind} {n / sum(waits.values()):.0%}" for kind, n in sorted(waits.items(), key=lambda w: -w[1]))
    queue.engine.dispose()
    return [
        f"| {threads} | {len(queue.slices) / seconds:.0f} | {p50:.0f} | {p99:.0f} | {client:.2f} | {kinds} | "
        f"{len(queue.wrong)} |",
        *(f"| | `{sql}` | {share:.0%} of the time in statements, {calls} calls | | | | |"
          for sql, share, calls in statements.worst(3)),
    ]  # fmt: skip


def pairs() -> list[tuple[float, float]]:
    """Seconds of two workers and of two bare processes, in turns."""
    job = {**JOB, "seeds": 2 * JOB["seeds"]}
    with (
        tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder,
        Embedded(Home(Path(folder)), port=0, workers=2) as lab,
        Client(lab.url) as client,
    ):
        through_the_lab(client, {**job, "budget": {"steps": 100}})
        return [(through_the_lab(client, job), bare.seconds(job, 2)) for _ in range(ROUNDS)]


HEAD = f"""# Scale

`python -m benchmarks.scale`: medians of {ROUNDS} rounds in turns, in brackets the least and the greatest; one thread a
process.

| | measured | wanted |
| --- | --- | --- |"""
QUEUE = f"""
The queue: {EXPERIMENTS} experiments of {SEEDS} queued cells; each slice claims, renews, records {STEPS} updates with
their end, counts the work left and beats, and trains nothing; {SECONDS:.0f} s each. A slice of real work lasts a second
or more, so 100 workers need at most 100 slices a second. The threads share a process, whose own CPU is the limit where
it is near 1.

| workers | slices a second | ms of one, median | 99th percentile | CPU of the workers | sessions at work | errors |
| --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    os.environ |= {"BATCHLAB_BALLAST_BYTES": "0", "OMP_NUM_THREADS": "1"}
    found = pairs()
    lines = [
        HEAD,
        f"| s of {2 * JOB['seeds']} cells, two bare processes | {spread([bare for _, bare in found], '.1f')} | |",
        f"| s of the same, two workers | {spread([lab for lab, _ in found], '.1f')} | |",
        f"| ratio of speeds | {spread([bare / lab for lab, bare in found], '.3f')} | >= 0.9 |",
        QUEUE,
    ]
    for threads in (1, 10, WORKERS):
        with tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder, Postgres(Path(folder) / "pg") as server:
            migrate.upgrade(server.url)
            lines += simulate(server.url, threads)
    write("scale", "\n".join(lines))


if __name__ == "__main__":
    main()
