"""A server process over a folder: what PostgreSQL and Redis have in common."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from batchlab_lab.errors import ServerError
from batchlab_lab.identity import ENVIRONMENT, Confined, own, server_uid
from batchlab_lab.sockets import socket_folder

START_SECONDS = 60.0
STOP_SECONDS = 30.0
MAX_LOG = 10_000_000
PREDECESSOR = ('lock file "postmaster.pid" already exists', "shared memory block")
"""What PostgreSQL says while the server that was killed, or told to end, is still going away."""


class Server:
    """A server process over a folder. Use it as a context manager, or call `start` and `stop`."""

    name: ClassVar[str]
    socket_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, folder: Path, *, options: Mapping[str, str] | None = None) -> None:
        """`options` are further settings of the server, over those of the lab."""
        self.folder = folder.resolve()
        self.options = dict(options or {})
        self.uid = server_uid()
        self.sockets = socket_folder(self.folder, self.socket_name)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What clients connect to."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "log"

    @property
    def confined(self) -> Confined:
        """How its programs are run: as which user, and tied to this process."""
        return Confined(self.folder, self.uid, self.stop_signal)

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start, and return when the server answers; raises ServerError with the log's last lines."""
        own(self.folder, self.uid)
        own(self.sockets, self.uid)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG:
            self.log.unlink()
        command = self._prepare()
        deadline = time.monotonic() + START_SECONDS
        while not self._try(command, deadline):
            time.sleep(0.2)

    def stop(self) -> None:
        """Ask the server to end, wait for it, and remove what lay outside its folder."""
        if self.alive():
            self._signal(self.stop_signal)
        self._wait(STOP_SECONDS)
        if self.sockets.parent != self.folder:
            with contextlib.suppress(OSError):
                self.sockets.rmdir()

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self.alive():
            self._signal(signal.SIGKILL)
        self._wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare(self) -> list[str]:
        """Make what is missing in the folder; returns the command to run."""
        raise NotImplementedError

    def _ready(self) -> bool:
        raise NotImplementedError

    def _try(self, command: list[str], deadline: float) -> bool:
        """One start: True when the server answers, False when a predecessor is still going away."""
        with self.log.open("ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=ENVIRONMENT,
                start_new_session=True,  # the terminal's Ctrl-C is for the lab, which stops its servers last
            )
        while self.alive() and time.monotonic() < deadline:
            if self._ready():
                return True
            time.sleep(0.02)
        words = self.log.read_bytes()[before:].decode(errors="replace").strip()
        self.kill()
        if any(sign in words for sign in PREDECESSOR) and time.monotonic() < deadline:
            return False
        raise ServerError(f"{self.name} did not start; its log {self.log} ends:\n{words[-1500:]}")

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def _wait(self, seconds: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
