"""What keeps a lab from running on this machine, looked for before it does."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from batchlab.cost import Rates
from batchlab_db.disk import needed
from batchlab_db.settings import Settings, settings
from pydantic import BaseModel

from batchlab_lab import ballast, binaries
from batchlab_lab.errors import LabError, PortTakenError
from batchlab_lab.home import Home

PACKAGES = ("batchlab", "torch", "numpy", "celery", "sqlalchemy", "psycopg", "fastapi", "altair")
WARN_SHARE = 0.2
PORT = 8000


class Check(BaseModel):
    """One thing looked at. `remedy` says what to do about a `warn` or a `fail`."""

    state: Literal["ok", "warn", "fail"]
    name: str
    detail: str
    remedy: str = ""


def examine(chosen: Settings | None = None) -> Iterator[Check]:
    """Look at everything, each thing when it is asked for. Nothing is started and nothing changed."""
    found = chosen or settings()
    for look in (machine, gpus, speed, versions, postgres, redis, home, disk, database, broker, port, datasets):
        yield look(found)


def machine(_: Settings) -> Check:
    """Architecture, cores, memory and user."""
    import psutil
    from batchlab_worker.device import usable_cores

    memory = psutil.virtual_memory()
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    detail = f"{platform.system()} {platform.machine()}, {usable_cores()} cores, {memory.total / 1e9:.0f} GB, {user}"
    if memory.available < 1e9:
        return Check(state="warn", name="machine", detail=detail, remedy="less than 1 GB of memory is free")
    return Check(state="ok", name="machine", detail=detail)


def gpus(_: Settings) -> Check:
    """The graphics cards that torch can use."""
    from batchlab_worker.device import visible_gpus

    found = visible_gpus()
    return Check(
        state="ok", name="gpus", detail=f"{len(found)} for torch" if found else "none: workers train on the CPU"
    )


def speed(_: Settings) -> Check:
    """The rates by which cells are put together and times are estimated, if they have been measured."""
    try:
        from batchlab import calibration
    except ImportError:
        return Check(state="ok", name="speed", detail="unknown without torch")
    processes, threads, device = _workers()
    detail = f"{processes} workers of {threads} {'thread' if threads == 1 else 'threads'}"
    found = calibration.known(device, threads)
    if found is None:
        remedy = "the first worker will measure it, or `batchlab doctor --measure`"
        return Check(state="ok", name="speed", detail=f"{detail}; not measured yet", remedy=remedy)
    return Check(state="ok", name="speed", detail=f"{detail}; {device}: {_told(found)}")


def measure_speed() -> None:
    """Measure the rates as a worker here would, and keep them. Idle workers give truer ones."""
    from batchlab import calibration
    from batchlab_worker.device import set_threads

    _, threads, device = _workers()
    set_threads(threads)
    calibration.rates(device, anew=True)


def _workers() -> tuple[int, int, str]:
    """How many workers this machine runs, with how many threads, and what they train on, as torch calls it."""
    from batchlab_worker import device, fleet

    processes, threads = fleet.shares(gpus=len(device.visible_gpus()))
    return processes, threads, device.own(device.take(("cpu", "gpu"))[0])


def _told(rates: Rates) -> str:
    alone, loop, stack = rates.reference, rates.layer, rates.stacked
    told = [
        f"an update in Python takes {_micro(alone.update)} and {_micro(alone.array)} for each array of weights",
        *([] if loop is None else [f"a compiled one {_micro(loop.update)}"]),
        f"one of a stack {_micro(stack.update)} and {_micro(stack.array)}",
        # A multiplication there and back is three products, each with a sum.
        *([f"full layers pass at {6e-9 / alone.dense:.0f} GFLOP/s"] if alone.dense else []),
        *(f"{n} threads train a convolutional network {gain:.1f} times as fast" for n, gain in rates.threads.items()),
        f"a stack may hold {rates.bytes / 2**30:.1f} GiB",
    ]
    return ", ".join(told) + f"; right to {rates.misfit:.0%} for the runs that they are from"


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:.{1 if seconds < 1e-5 else 0}f} µs"


def versions(_: Settings) -> Check:
    """Python and the packages that matter."""
    found = {name: _version(name) for name in PACKAGES}
    shown = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    detail = f"Python {platform.python_version()}, {shown}"
    if found["torch"] is None:
        remedy = "workers need torch: pip install 'batchlab[train]'"
        return Check(state="warn", name="versions", detail=detail, remedy=remedy)
    return Check(state="ok", name="versions", detail=detail)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def postgres(chosen: Settings) -> Check:
    """The database's programs."""
    return _program("postgres", lambda: binaries.postgres_folder() / "bin" / "postgres", bool(_url(chosen)))


def redis(chosen: Settings) -> Check:
    """The broker's program."""
    return _program("redis", binaries.redis_program, bool(chosen.broker_url.get_secret_value()))


def _program(name: str, find: Callable[[], Path], spared: bool) -> Check:
    try:
        program = find()
        words = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=20)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        return Check(state="warn" if spared else "fail", name=name, detail="cannot be run", remedy=str(error))
    return Check(state="ok", name=name, detail=f"{words.stdout.strip()[:60]} ({program})")


def home(chosen: Settings) -> Check:
    """The data directory."""
    folder = Home(chosen.home).folder
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = "choose another place by BATCHLAB_HOME"
        return Check(state="fail", name="home", detail=f"{there} cannot be written", remedy=remedy)
    state = "in use by a lab" if Home(folder).busy() else "free" if folder.exists() else "will be made"
    return Check(state="ok", name="home", detail=f"{folder}: {state}")


def disk(chosen: Settings) -> Check:
    """Free space on the database's volume, against the gates."""
    watched = chosen.database_volume or chosen.home.absolute()
    there = next(path for path in (watched, *watched.parents) if path.exists())
    usage = shutil.disk_usage(there)
    detail = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free at {there}{_ballast(chosen)}"
    if usage.free < (least := needed(chosen, "refuse", usage.total)):
        remedy = f"new experiments are refused below {least / 1e9:.1f} GB: free some space"
        remedy += f", or delete {Home(chosen.home).folder / ballast.NAME}" * bool(_ballast(chosen))
        return Check(state="fail", name="disk", detail=detail, remedy=remedy)
    if usage.free < WARN_SHARE * usage.total:
        return Check(state="warn", name="disk", detail=detail, remedy="less than a fifth is free")
    return Check(state="ok", name="disk", detail=detail)


def _ballast(chosen: Settings) -> str:
    size = ballast.held(Home(chosen.home).folder)
    return f", and a ballast of {size / 1e9:.1f} GB to delete when it is full" if size else ""


def database(chosen: Settings) -> Check:
    """Whether the database answers, and its schema."""
    found = _reachable(chosen)
    if found is None:
        return Check(state="ok", name="database", detail="embedded, not running")
    from batchlab_db import migrate
    from batchlab_db.engine import make_engine
    from sqlalchemy.exc import SQLAlchemyError

    engine = make_engine(found, role="migrate")
    try:
        revision, head = migrate.current(engine), migrate.head()
    except SQLAlchemyError as error:
        detail = str(getattr(error, "orig", None) or error).splitlines()[0]
        return Check(state="fail", name="database", detail=detail, remedy="is it running, and is the address right?")
    finally:
        engine.dispose()
    if revision != head:
        remedy = "run `batchlab migrate`"
        return Check(state="fail", name="database", detail=f"schema {revision}, not {head}", remedy=remedy)
    return Check(state="ok", name="database", detail=f"answers; schema {head}")


def _url(chosen: Settings) -> str:
    return chosen.database_url.get_secret_value()


def _reachable(chosen: Settings) -> Settings | None:
    """Settings with the address of a database that should answer now."""
    from pydantic import SecretStr

    from batchlab_lab.servers import Postgres

    if _url(chosen):
        return chosen
    lab = Home(chosen.home)
    return chosen.model_copy(update={"database_url": SecretStr(Postgres(lab.postgres).url)}) if lab.busy() else None


def broker(chosen: Settings) -> Check:
    """Whether the broker answers."""
    if not chosen.broker_url.get_secret_value():
        return Check(state="ok", name="broker", detail="embedded")
    from batchlab_db.broker import ping

    try:
        ping(chosen)
    except Exception as error:  # kombu lets through what its transports raise
        remedy = "is it running, and is the address right?"
        return Check(state="fail", name="broker", detail=str(error) or type(error).__name__, remedy=remedy)
    return Check(state="ok", name="broker", detail="answers")


def port(_: Settings) -> Check:
    """The port that a lab listens on unless told otherwise."""
    from batchlab_lab.addresses import check_port

    try:
        check_port("127.0.0.1", PORT)
    except PortTakenError:
        remedy = "if that is no lab, choose another by --port"
        return Check(state="warn", name="port", detail=f"{PORT} is taken", remedy=remedy)
    return Check(state="ok", name="port", detail=f"{PORT} is free")


def datasets(chosen: Settings) -> Check:
    """The data sets at hand."""
    from batchlab_lab.data import states

    found = states(chosen.data_folder)
    missing = [state.name for state in found if not state.available]
    detail = ", ".join(state.name for state in found if state.available)
    remedy = "; ".join(f"batchlab data fetch {name}" for name in missing)
    return Check(state="ok", name="data", detail=detail, remedy=remedy and f"to have more: {remedy}")
