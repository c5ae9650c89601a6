"""Real worker processes on a lab of the test's own, with lease and reconciler times made short."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
import structlog
from batchlab.cell import Cell
from batchlab.expand import expand
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec
from batchlab_db import broker, experiments
from batchlab_db.demand import demand
from batchlab_db.digest import digest
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab_worker.bench import Bench
from pydantic import SecretStr
from sqlalchemy import Engine, text

QUICK = {
    "slice_seconds": 0.6,
    "block_seconds": 0.05,
    "lease_seconds": 1.5,
    "renew_seconds": 0.3,
    "margin_seconds": 0.3,
    "heartbeat_seconds": 0.2,
    "alive_seconds": 3.0,
    "reconcile_seconds": 0.2,
    "resend_seconds": 0.3,
}
PATIENCE = 60.0
T = TypeVar("T")


def until(what: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Wait for something to come true; returns it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return found


class Nursery:
    """See nursery.py."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("nursery.py")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._answer() == "ready"

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


MEASURE = "import torch; torch.set_num_threads(1); from batchlab import calibration; calibration.rates('cpu')"


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    # Once on a machine; no test's worker should be the one that does it, least of all with another engine in its place.
    subprocess.run([sys.executable, "-c", MEASURE], check=True)
    made = Nursery()
    yield made
    made.close()


class WorkerProcess:
    """A worker process under test."""

    def __init__(self, nursery: Nursery, pid: int, log: Path) -> None:
        self._nursery, self.pid, self.log = nursery, pid, log
        self._status: int | None = None

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        if self._status is None:
            self._status = self._nursery.ask(ended=self.pid)
        return self._status

    def wait(self, seconds: float = PATIENCE) -> int:
        until(lambda: self.status is not None, seconds)
        assert self._status is not None
        return self._status

    def kill(self) -> None:
        if self.status is None:
            self.send(signal.SIGKILL)
            self.wait()

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it logged."""
        found = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if event is None or line["event"] == event]


class Lab:
    """The database and the broker of a test, and its workers."""

    def __init__(self, nursery: Nursery, settings: Settings, environment: Mapping[str, str], folder: Path) -> None:
        self.settings = settings.model_copy(update=QUICK)
        self.environment = {**environment, **{f"BATCHLAB_{name.upper()}": str(v) for name, v in QUICK.items()}}
        self.engine: Engine = make_engine(self.settings, role="api")
        self.workers: list[WorkerProcess] = []
        self._nursery, self._folder = nursery, folder

    def worker(self, queues: str = "cpu", name: str | None = None, **environment: str) -> WorkerProcess:
        name = name or f"w{len(self.workers)}"
        log = self._folder / f"{len(self.workers)}.log"
        log.touch()
        pid = self._nursery.ask(
            start={"BATCHLAB_THREADS": "1", **self.environment, **environment},
            arguments=["--queues", queues, "--name", name],
            log=str(log),
        )
        self.workers.append(WorkerProcess(self._nursery, pid, log))
        return self.workers[-1]

    @staticmethod
    def cells(**changes: Any) -> Sequence[Cell]:
        """The cells of the small experiment with these keys changed."""
        return expand(parse_spec({**SPEC, **changes}))

    def submit(self, **changes: Any) -> str:
        parsed = parse_spec({**SPEC, **changes})
        made = experiments.submit(self.engine, parsed, plan(parsed, WorkLimits(10_000, 10**9)))
        self.wake()
        return made.id

    def wake(self) -> None:
        """What the api does after each change."""
        broker.wake_each(self.settings, demand(self.engine, self.settings))

    @contextmanager
    def broker(self) -> Iterator["redis.Redis"]:
        url = broker.broker_url(self.settings).replace("redis+socket", "unix")
        with redis.Redis.from_url(url) as connection:
            yield connection

    def forget_messages(self) -> None:
        """Lose what the broker holds."""
        with self.broker() as connection:
            for key in connection.scan_iter():
                connection.delete(key)

    def messages(self, queue: str) -> int:
        """Wake-ups that wait."""
        with self.broker() as connection:
            return int(connection.llen(queue))

    def ask(self, query: str, **values: Any) -> Sequence[Any]:
        with self.engine.connect() as connection:
            return connection.execute(text(query), values).all()

    def scalar(self, query: str, **values: Any) -> Any:
        (row,) = self.ask(query, **values)
        return row[0]

    def outcome(self, experiment_id: str) -> str | None:
        found: str | None = self.scalar("SELECT outcome FROM experiments WHERE id = :id", id=experiment_id)
        return found

    def finish(self, experiment_id: str, seconds: float = PATIENCE) -> str:
        """Wait for the experiment's end; returns its outcome."""
        return until(lambda: self.outcome(experiment_id), seconds)  # type: ignore[return-value]

    def digest(self, experiment_id: str) -> str:
        return str(digest(self.engine, experiment_id)["digest"])

    def steps(self, experiment_id: str) -> int:
        return int(self.scalar("SELECT sum(steps_done) FROM cells WHERE experiment_id = :id", id=experiment_id))

    @staticmethod
    def until(what: Callable[[], T], seconds: float = PATIENCE) -> T:
        return until(what, seconds)

    def move(self, database_url: str) -> None:
        """Use another database server."""
        self.engine.dispose()
        self.settings = self.settings.model_copy(update={"database_url": SecretStr(database_url)})
        self.environment["BATCHLAB_DATABASE_URL"] = database_url
        self.engine = make_engine(self.settings, role="api")

    def hurry(self) -> None:
        """Let every lease and every wait be over."""
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE cohorts SET not_before = NULL, lease_until = least(lease_until, now())"))

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.engine.dispose()


SPEC: dict[str, Any] = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [4],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"steps": 3000},
    "evaluate": {"every_steps": 500},
    "engine": "reference",
}
"""Long enough to be disturbed: the compiled engine would be done at once."""


@pytest.fixture
def lab(nursery: Nursery, settings: Settings, environment: dict[str, str], tmp_path: Path) -> Iterator[Lab]:
    made = Lab(nursery, settings, environment, tmp_path)
    yield made
    made.close()


@pytest.fixture
def bench(lab: Lab) -> Iterator[Bench]:
    """A worker's bench in this process, with a lease that a busy machine does not use up."""
    from batchlab_worker import device
    from batchlab_worker.__main__ import make_bench

    device.warm_up()
    made = make_bench(lab.settings.model_copy(update={"slice_seconds": 30.0, "lease_seconds": 15.0}), "here", ["cpu"])
    with structlog.testing.capture_logs():
        yield made
    made.engine.dispose()
