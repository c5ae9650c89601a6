"""Backup and restore: PostgreSQL's own dump, in its custom format, consistent while experiments run."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from batchlab_db import backups
from batchlab_db.engine import database_url, make_engine
from batchlab_db.settings import Settings
from pydantic import SecretStr
from sqlalchemy import text

from batchlab_lab.binaries import postgres_tool
from batchlab_lab.environment import need_database
from batchlab_lab.errors import LabError
from batchlab_lab.home import Home
from batchlab_lab.servers import Postgres

LIBPQ = {"host": "PGHOST", "port": "PGPORT", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
"""Parameters of a database's address -> libpq's environment variables."""
RESTORE_TRIES = 5
"""A restore waits for every table; where that ties it up with a worker's write, one of the two begins again."""


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Settings whose database answers: the one they name, or else the embedded one, started for the time if need be."""
    if settings.database_url.get_secret_value():
        yield need_database(settings)
        return
    home = Home(settings.home)
    server = Postgres(home.postgres)
    found = settings.model_copy(update={"database_url": SecretStr(server.url)})
    if home.busy():
        yield found
    else:
        with home.held(), server:
            yield found


def save(settings: Settings, file: Path) -> None:
    """Write a backup to `file`; a half-written one never has that name."""
    partial = file.with_name(file.name + ".partial")
    command = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={partial}"]
    _run(command, _environment(settings))
    _check(partial)
    partial.rename(file)


def restore(settings: Settings, file: Path) -> tuple[int, int]:
    """Replace all that the database holds by the backup, in one transaction; returns how many experiments and cells.

    Workers and the api may go on meanwhile: each cohort gets an epoch above every one handed out, so that a slice of
    the time before can write nothing more.
    """
    from batchlab_db import migrate

    _check(file)
    for left in reversed(range(RESTORE_TRIES)):
        try:
            _replace(settings, file)
            break
        except _TiedUpError:
            if not left:
                raise
    migrate.upgrade(database_url(settings).render_as_string(hide_password=False))
    return _counts(settings)


class _TiedUpError(LabError):
    """The restore and somebody else's write waited for each other."""


def _replace(settings: Settings, file: Path) -> None:
    """Feed psql one transaction: clear the way, the dump as SQL, fence everybody out."""
    psql = [
        str(postgres_tool("psql")),
        *["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--file=-"],
    ]
    convert = [str(postgres_tool("pg_restore")), "--no-owner", "--no-privileges", "--file=-", str(file)]
    with tempfile.TemporaryFile() as words:
        sink = subprocess.Popen(
            psql, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=words, env=_environment(settings)
        )
        try:
            _feed(sink, convert)
        except BaseException:
            sink.kill()  # an input that ends early would be committed
            raise
        finally:
            _close(sink)
        if sink.returncode != 0:
            words.seek(0)
            raise _failure(words.read().decode(errors="replace"))


def _feed(sink: "subprocess.Popen[bytes]", convert: list[str]) -> None:
    assert sink.stdin is not None
    try:
        sink.stdin.write(backups.BEFORE.encode())
        sink.stdin.flush()
        done = subprocess.run(convert, stdout=sink.stdin, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0 and sink.poll() is None:
            raise LabError(f"the backup cannot be read: {done.stderr.decode(errors='replace').strip()}")
        sink.stdin.write(backups.AFTER.encode())
    except BrokenPipeError:
        pass  # psql has stopped at an error, which its exit status tells


def _close(sink: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(BrokenPipeError):
        sink.communicate()


def _failure(words: str) -> LabError:
    tied = "deadlock detected" in words or "lock timeout" in words
    return (_TiedUpError if tied else LabError)(f"nothing was restored: {words.strip()[-1500:]}")


def _check(file: Path) -> None:
    """Raise LabError unless `file` is a whole dump."""
    if not file.is_file():
        raise LabError(f"{file} is missing")
    _run(["pg_restore", "--file=/dev/null", str(file)], os.environ)


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    program, *arguments = command
    done = subprocess.run(
        [str(postgres_tool(program)), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LabError(f"{program} failed: {done.stderr.strip()[-1500:]}")


def _environment(settings: Settings) -> dict[str, str]:
    """The environment in which libpq's programs find the database; a password stands in no argument."""
    url = database_url(settings)
    found = {"PGDATABASE": url.database, "PGUSER": url.username, "PGPASSWORD": url.password, "PGHOST": url.host}
    found |= {"PGPORT": str(url.port) if url.port else None}
    found |= {LIBPQ[name]: str(value) for name, value in url.query.items() if name in LIBPQ}
    return {**os.environ, **{name: value for name, value in found.items() if value}}


def _counts(settings: Settings) -> tuple[int, int]:
    engine = make_engine(settings, role="migrate")
    with engine.connect() as connection:
        experiments, cells = connection.execute(text(backups.COUNTS)).one()
    engine.dispose()
    return experiments, cells
