"""PostgreSQL and Redis as child processes: unix sockets only, no TCP port, a folder each.

Both end with the thread that started them (so start them in a process's main thread), whatever ended it.
"""

import contextlib
import shutil
import signal
import socket
from pathlib import Path
from typing import ClassVar

from sqlalchemy import URL

from batchlab_lab import binaries
from batchlab_lab.identity import Confined, give, nobody, own
from batchlab_lab.server import Server


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
        """The SQLAlchemy URL of the lab's database."""
        return self.url_of("batchlab")

    def url_of(self, database: str, user: str = "batchlab") -> str:
        """The SQLAlchemy URL of a database of this server."""
        made = URL.create("postgresql+psycopg", username=user, database=database, query={"host": str(self.sockets)})
        return made.render_as_string(hide_password=False).replace("%2F", "/")

    @property
    def data(self) -> Path:
        """The cluster's folder."""
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
        if new.exists():
            shutil.rmtree(new)
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
        """Where it listens."""
        return self.sockets / self.socket_name

    @property
    def url(self) -> str:
        """The broker's address, as Celery has it."""
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


def _remove_stale_pid(path: Path) -> None:
    """Remove the pid file of a server that is gone, also when its number now belongs to another program.

    Only called by the holder of the data directory, so a live server can only be one that is just stopping.
    """
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(path.read_text().splitlines()[0])
        name = Path(f"/proc/{pid}/comm")
        if Path("/proc/self").exists() and not (name.exists() and name.read_text().strip() == "postgres"):
            path.unlink()
