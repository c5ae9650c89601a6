"""The data directory: the one place where an embedded lab keeps everything, for one lab at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from batchlab_lab.errors import HomeBusyError, LabError
from batchlab_lab.identity import give, server_uid


class Home:
    """A data directory. One that exists already keeps its mode and owner; what is made in it is private."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().absolute()

    @property
    def postgres(self) -> Path:
        """The database's folder."""
        return self.folder / "postgres"

    @property
    def redis(self) -> Path:
        """The broker's folder."""
        return self.folder / "redis"

    @property
    def logs(self) -> Path:
        """Where the lab's processes write what they have to say."""
        return self.folder / "logs"

    @property
    def data(self) -> Path:
        """The data folder, unless BATCHLAB_DATA names another."""
        return self.folder / "data"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other labs away; raises HomeBusyError where one is there already."""
        with self._lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise self._busy(lock.read().strip()) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def busy(self) -> bool:
        """Whether a lab runs on it now."""
        try:
            with (self.folder / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def _lock(self) -> TextIO:
        try:
            self._make()
            return (self.folder / "lock").open("a+")
        except OSError as error:
            place = f"cannot use {self.folder} ({error.strerror})"
            raise LabError(f"{place}: choose another place by --data-dir or BATCHLAB_HOME") from error

    def _make(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            self._open_to_servers()
        for folder in (self.logs, self.data):
            folder.mkdir(mode=0o700, exist_ok=True)

    def _open_to_servers(self) -> None:
        uid = server_uid()
        if uid is not None:
            give(self.folder, uid)  # root comes in anyway, and the servers then need no right to pass

    def _busy(self, pid: str) -> HomeBusyError:
        return HomeBusyError(
            f"a lab runs on {self.folder} already (process {pid or 'unknown'}): "
            "stop it, or choose another place by --data-dir or BATCHLAB_HOME"
        )
