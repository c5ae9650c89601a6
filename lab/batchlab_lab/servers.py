"""PostgreSQL and Redis as child processes: unix sockets only, no TCP port, a folder each.

Both end with the thread that started them (so start them in a process's main thread), whatever ended it.
"""

import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

from sqlalchemy import URL

from batchlab_lab import binaries
from batchlab_lab.errors import ServerError
from batchlab_lab.identity import ENVIRONMENT, Confined, give, nobody, own, server_uid

MAX_SOCKET_PATH = 100
"""Bytes: the kernel's limit is 107."""
START_SECONDS = 60.0
STOP_SECONDS = 30.0
MAX_LOG = 10_000_000


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
        self.sockets = _socket_folder(self.folder, self.socket_name)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What clients connect to."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def confined(self) -> Confined:
        return Confined(self.folder, self.uid, self.stop_signal)

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start, and return when the server answers; raises ServerError with the log's last lines."""
        own(self.folder, self.uid)
        _own_sockets(self.sockets, self.uid)
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
        if "in use" in words and time.monotonic() < deadline:
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


class Postgres(Server):
    """PostgreSQL with one database `batchlab`, owned by a role of that name that is no superuser."""

    name = "PostgreSQL"
    socket_name = ".s.PGSQL.5432"
    stop_signal = signal.SIGINT  # "fast": ends sessions, loses nothing

    settings: ClassVar[dict[str, str]] = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "512MB",
        "max_parallel_workers_per_gather": "0",  # parallel plans need more shared memory than containers have
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }

    @property
    def url(self) -> str:
        return self.url_of("batchlab")

    def url_of(self, database: str, user: str = "batchlab") -> str:
        """The SQLAlchemy URL of a database of this server."""
        made = URL.create("postgresql+psycopg", username=user, database=database, query={"host": str(self.sockets)})
        return made.render_as_string(hide_password=False).replace("%2F", "/")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> list[str]:
        programs = self._programs()
        if not self.data.exists():
            self._initialise(programs)
        _remove_stale_pid(self.data / "postmaster.pid")
        settings = {**self.settings, "unix_socket_directories": str(self.sockets), **self.options}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self.confined.command(programs / "postgres", "-D", str(self.data), *flags)

    def _programs(self) -> Path:
        installation = binaries.postgres_folder()
        if not all(binaries.usable(installation / part, self.uid) for part in binaries.POSTGRES_PARTS):
            installation = binaries.copy_postgres(installation, own(self.folder / "programs", self.uid))
        return installation / "bin"

    def _initialise(self, programs: Path) -> None:
        """Make the cluster under another name and rename it when it is whole."""
        new = self.folder / "data.new"
        for path in [*new.rglob("*"), new] if new.exists() else []:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        maker = Confined(self.folder, None if self.uid is None else nobody(), signal.SIGKILL)
        own(new, maker.uid)
        maker.run(programs / "initdb", "-D", str(new), *INITDB)
        maker.run(programs / "postgres", "--single", "-D", str(new), "postgres", text=FIRST_STATEMENTS)
        if self.uid is not None:
            for path in (new, *new.rglob("*")):
                give(path, self.uid)
        new.rename(self.data)

    def _ready(self) -> bool:
        """Whether the server's own status line, which pg_ctl reads too, says so."""
        assert self.process is not None
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"
        return False


INITDB = (
    *("-U", "postgres", "-A", "trust"),  # the socket's folder (0700) says who may connect
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
FIRST_STATEMENTS = "CREATE ROLE batchlab LOGIN CREATEDB;\nCREATE DATABASE batchlab OWNER batchlab;\n"


class Redis(Server):
    """Redis in memory only, whose one user may neither administer it nor run dangerous commands.

    The wheel's server is 6.2.14, with known holes in its scripting. Celery's transport needs scripts, so what
    protects it is that only the lab's own processes reach the socket.
    """

    name = "Redis"
    socket_name = "redis.sock"
    stop_signal = signal.SIGTERM

    settings: ClassVar[dict[str, str]] = {
        "port": "0",
        "unixsocketperm": "700",
        "daemonize": "no",
        "save": '""',
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "user": "default on nopass ~* &* +@all -@admin -@dangerous +info +client|setname +client|setinfo",
    }

    @property
    def socket(self) -> Path:
        return self.sockets / self.socket_name

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def _prepare(self) -> list[str]:
        program = binaries.redis_program()
        if not binaries.usable(program, self.uid):
            program = binaries.copy_program(program, own(self.folder / "programs", self.uid))
        lines = {**self.settings, "unixsocket": str(self.socket), **self.options}
        settings = self.folder / "redis.conf"
        settings.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        own_file(settings, self.uid)
        self.socket.unlink(missing_ok=True)
        return self.confined.command(program, settings.name)

    def _ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


def own_file(path: Path, uid: int | None) -> None:
    """Make a file private (0600) and give it to `uid`."""
    path.chmod(0o600)
    if uid is not None:
        give(path, uid)


def _socket_folder(folder: Path, socket_name: str) -> Path:
    """`folder`/run, or where that path is too long or odd for a socket a folder in /tmp named after it."""
    inside = folder / "run"
    if len(os.fsencode(inside / socket_name)) < MAX_SOCKET_PATH and re.fullmatch(r"[\w/.+-]+", str(inside), re.ASCII):
        return inside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"batchlab-{digest}"
    return short if len(os.fsencode(short / socket_name)) < MAX_SOCKET_PATH else Path("/tmp") / short.name


def _own_sockets(folder: Path, uid: int | None) -> None:
    """Make the sockets' folder; one that someone else made first is refused."""
    owner = os.geteuid() if uid is None else uid
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid not in (owner, os.geteuid())):
        raise ServerError(f"{folder} belongs to someone else: remove it, or choose another data directory")
    own(folder, uid)


def _remove_stale_pid(path: Path) -> None:
    """Remove the pid file of a server that is gone, also when its number now belongs to another program."""
    for pid in _first_number(path):
        name = Path(f"/proc/{pid}/comm")
        if Path("/proc").exists() and not (name.exists() and name.read_text().strip() == "postgres"):
            path.unlink()


def _first_number(path: Path) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        yield int(path.read_text().splitlines()[0])
