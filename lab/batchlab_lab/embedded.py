"""A whole lab on this machine: servers, schema, api and workers, under one data directory."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from batchlab_client import Client, ClientError
from batchlab_db.settings import Settings
from batchlab_worker.fleet import programs
from batchlab_worker.supervisor import Program, Supervisor

from batchlab_lab import ballast
from batchlab_lab.addresses import check_port, free_port, reached_at
from batchlab_lab.errors import LabError, ServerError
from batchlab_lab.home import Home
from batchlab_lab.server import Server
from batchlab_lab.servers import Postgres, Redis

READY_SECONDS = 60.0
TEND_SECONDS = 0.5
LONGEST_PAUSE = 30.0


class Embedded:
    """A lab that runs while its context is open. Open it in the main thread: the servers end with it."""

    def __init__(self, home: Home, *, host: str = "127.0.0.1", port: int = 8000, workers: int | None = None) -> None:
        """`port` 0: any free one. `workers`: processes (default: one a GPU, else one a core)."""
        self.home, self.host, self.port, self.workers = home, host, port, workers
        self.postgres, self.redis = Postgres(home.postgres), Redis(home.redis)
        self._watches = [_Watch(self.postgres), _Watch(self.redis)]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """Where this machine reaches the lab."""
        return f"http://{reached_at(self.host)}:{self.port}"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.home.held())
            ballast.keep(self.home.folder, Settings().ballast_bytes)
            self.port = self.port or free_port(self.host)
            check_port(self.host, self.port)
            for server in (self.postgres, self.redis):
                stack.enter_context(server)
            self._migrate()
            self.supervisor = stack.enter_context(Supervisor(self._programs(), on_exit=self._tell))
            self._wait_until_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()

    def tend(self) -> None:
        """Start a server again that has ended; raises LabError where a child cannot go on. Call it often."""
        for watch in self._watches:
            watch.tend()
        if self.supervisor.wait(0):
            raise LabError(f"the lab cannot go on: its logs in {self.home.logs} say why")

    def environment(self) -> dict[str, str]:
        """What the lab's processes are told."""
        return {
            "BATCHLAB_HOME": str(self.home.folder),
            "BATCHLAB_DATABASE_URL": self.postgres.url,
            "BATCHLAB_BROKER_URL": self.redis.url,
            "BATCHLAB_DATABASE_VOLUME": str(self.home.folder),
        }

    def _migrate(self) -> None:
        from batchlab_db import migrate

        migrate.upgrade(self.postgres.url)

    def _programs(self) -> list[Program]:
        shared = self.environment()
        serve = [sys.executable, "-m", "batchlab_api", "--host", self.host, "--port", str(self.port)]
        api = Program("api", serve, shared, self.home.logs / "api.log")
        workers = programs(self.workers, output=self.home.logs)
        return [api, *(Program(w.name, w.argv, {**shared, **w.environ}, w.output) for w in workers)]

    def _tell(self, name: str, status: int) -> None:
        if status != 0:
            log = self.home.logs / f"{name}.log"
            print(f"{name} ended with status {status} and is started again; {log} says why", file=sys.stderr)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with Client(self.url, patience=0) as client:
            while not _answers(client):
                if self.supervisor.wait(0.1) or time.monotonic() > deadline:
                    raise ServerError(f"the api did not start:\n{tail(self.home.logs / 'api.log')}")


class _Watch:
    """Starts a server again when it has ended, after a pause that doubles up to half a minute."""

    def __init__(self, server: Server) -> None:
        self._server, self._pause, self._due = server, 1.0, 0.0

    def tend(self) -> None:
        """Look at the server once."""
        now = time.monotonic()
        if self._server.alive():
            self._pause = 1.0 if now > self._due + LONGEST_PAUSE else self._pause
        elif now >= self._due:
            self._start(now)

    def _start(self, now: float) -> None:
        self._due, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE)
        try:
            self._server.start()
        except ServerError as error:
            print(error, file=sys.stderr)


def _answers(client: Client) -> bool:
    try:
        client.transport.request("GET", "/health/live", patience=0)
    except ClientError:
        return False
    return True


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else f"{log} is missing"


@contextmanager
def until_signalled() -> Iterator[None]:
    """Leave the block by KeyboardInterrupt at the first SIGINT, SIGTERM or SIGHUP; later ones change nothing.

    Without this a SIGTERM would end the process before it could stop its children in order.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(_number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
