"""Keeps processes running: the same in the embedded lab and in a container.

A child that ends is started again, after a pause that doubles from 1 to 30 s while it keeps ending soon. A child that
ends by itself with status 0 (a worker that recycles itself) comes back at once; one that ends with `EX_CONFIG` is
misconfigured, and a restart would not help: the supervisor stops everything and says so. Children get a session of
their own, so that Ctrl-C reaches the supervisor alone, and die with it (see `tether`).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import structlog

from batchlab_worker import oom, tether

EX_CONFIG = 78
"""Exit status of a child that must not be restarted: its settings are wrong."""
EX_TEMPFAIL = 75
"""Exit status of a child whose device failed: a fresh process may find it well again."""
PREDECESSOR = "BATCHLAB_PREDECESSOR"
"""Tells a process whose place it takes, and what killed that: `PID:lost` or `PID:out_of_memory`."""
SETTLED_SECONDS = 60.0
"""A child that lived this long is healthy: its next restart waits the shortest pause."""
POLL_SECONDS = 0.1

log = structlog.get_logger("batchlab.supervisor")


@dataclass(frozen=True)
class Program:
    """What to keep running. `environ` is laid over this process's; output goes to the file `output`, else is shared."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None

    def start(self, predecessor: str = "") -> "subprocess.Popen[bytes]":
        """Start it in a session of its own, tied to the calling thread's life; tell it of its `predecessor`."""
        command = [sys.executable, tether.__file__, str(os.getpid()), *self.argv]
        with self._sink() as sink:
            return subprocess.Popen(
                command,
                env={**os.environ, **self.environ, PREDECESSOR: predecessor},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT if sink else None,
                start_new_session=True,
            )

    @contextmanager
    def _sink(self) -> Iterator[int | None]:
        if self.output is None:
            yield None
        else:
            with self.output.open("ab") as file:
                yield file.fileno()


@dataclass
class Child:
    """A program and its present process, if any."""

    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    due_at: float = 0.0
    """When to start it (again), by the monotonic clock."""
    pause: float = 0.0
    restarts: int = -1
    exit_status: int | None = None
    """How its last process ended; negative: by that signal."""
    predecessor: str = ""
    """Its last process, where that did not end by itself in good order (see PREDECESSOR)."""
    kills: int = 0
    """The kernel's kills for want of memory when it was started."""

    def start(self) -> None:
        self.process = self.program.start(self.predecessor)
        self.started_at, self.kills = time.monotonic(), oom.kills()
        self.restarts += 1

    def reap(self) -> bool:
        """Whether its process has just ended; its exit status is then known."""
        if self.process is None or (status := self.process.poll()) is None:
            return False
        out_of_memory = status == -signal.SIGKILL and oom.kills() > self.kills
        why = "out_of_memory" if out_of_memory else "lost"
        self.predecessor = f"{self.process.pid}:{why}" if status else ""
        self.process, self.exit_status = None, status
        return True

    def postpone(self, first: float, longest: float) -> None:
        """Set when to start it again."""
        lived = time.monotonic() - self.started_at
        if lived >= SETTLED_SECONDS or (self.exit_status == 0 and lived >= first):
            self.pause = 0.0
        else:
            self.pause = min(max(first, 2 * self.pause), longest)
        self.due_at = time.monotonic() + self.pause

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)


class Supervisor:
    """Runs programs until told to stop: `with Supervisor([...]):`, or `run_until_signalled()` in the main thread.

    At the end each child gets SIGTERM and, `grace` seconds later, SIGKILL.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        grace: float = 10.0,
        first_pause: float = 1.0,
        longest_pause: float = 30.0,
        on_exit: Callable[[str, int], None] | None = None,
    ) -> None:
        self._children = [Child(program) for program in programs]
        self._grace, self._first_pause, self._longest_pause = grace, first_pause, longest_pause
        self._on_exit = on_exit
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor")
        self.exit_status = 0
        """0, or EX_CONFIG where a child said that its settings are wrong."""

    def start(self) -> "Supervisor":
        """Start every program; they are looked after by a thread."""
        self._thread.start()
        self._started.wait()
        return self

    def stop(self) -> int:
        """Stop every child and wait until all are gone; returns `exit_status`."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        return self.exit_status

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until stopping has begun, by `stop` or by a misconfigured child; False where the time ran out."""
        return self._stopping.wait(timeout)

    def pids(self) -> dict[str, int]:
        """Process ids of the children that run now, by name."""
        return {c.program.name: p.pid for c in self._children if (p := c.process) is not None}

    def restarts(self) -> dict[str, int]:
        """How often each program has been started again."""
        return {c.program.name: max(c.restarts, 0) for c in self._children}

    def run_until_signalled(self) -> int:
        """Run in the foreground until SIGTERM, SIGINT or SIGHUP; returns `exit_status`."""
        told: list[int] = []  # a handler may run anywhere in the main thread, where taking a lock could wait for ever
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _: told.append(received))
        with self:
            while not told and not self._stopping.is_set():
                time.sleep(POLL_SECONDS)
        return self.exit_status

    def __enter__(self) -> "Supervisor":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        # One thread starts all children: the parent-death signal follows the thread that forked.
        try:
            self._tend()
            self._started.set()
            while not self._stopping.wait(POLL_SECONDS):
                self._tend()
        finally:
            self._stopping.set()
            self._started.set()
            self._end()

    def _tend(self) -> None:
        for child in self._children:
            if child.reap():
                self._ended(child)
            if child.process is None and time.monotonic() >= child.due_at and not self._stopping.is_set():
                child.start()
                log.info("started", program=child.program.name, pid=child.process and child.process.pid)

    def _ended(self, child: Child) -> None:
        assert child.exit_status is not None
        child.postpone(self._first_pause, self._longest_pause)
        log.info("ended", program=child.program.name, status=child.exit_status, again_in=child.pause)
        if self._on_exit is not None:
            self._on_exit(child.program.name, child.exit_status)
        if child.exit_status == EX_CONFIG:
            self.exit_status = EX_CONFIG
            self._stopping.set()

    def _end(self) -> None:
        self._signal_all(signal.SIGTERM)
        if not self._all_gone(self._grace):
            self._signal_all(signal.SIGKILL)
            self._all_gone(self._grace)

    def _signal_all(self, number: int) -> None:
        for child in self._children:
            child.signal(number)

    def _all_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(c.process is not None and not c.reap() for c in self._children):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS / 2)
        return True
