"""Whether this server can do its work: each part is looked at on its own, and a failing one is named."""

from collections.abc import Callable

from batchlab_client.models import Part
from batchlab_db import disk, facts, migrate, observe
from batchlab_db.broker import ping

from batchlab_api.lab import Lab


def parts(lab: Lab) -> dict[str, Part]:
    """Every part by name. Having no worker is not among them: the server then still takes experiments."""
    checks: dict[str, Callable[[Lab], str]] = {
        "database": _database,
        "schema": _schema,
        "broker": _broker,
        "reconciler": _reconciler,
        "disk": _disk,
    }
    return {name: _attempt(check, lab) for name, check in checks.items()}


class Failing(Exception):
    """A part does not do its work; the text says what is wrong."""


def _attempt(check: Callable[[Lab], str], lab: Lab) -> Part:
    try:
        return Part(ok=True, detail=check(lab))
    except Failing as failing:
        return Part(ok=False, detail=str(failing))
    except Exception as error:
        # Whatever a part raises, its name must come out, and nothing of the error's text: it may hold an address.
        return Part(ok=False, detail=f"cannot be reached ({type(error).__name__})")


def _database(lab: Lab) -> str:
    return f"PostgreSQL {lab.read(observe.server_version)}"


def _schema(lab: Lab) -> str:
    wanted, found = migrate.head(), migrate.current(lab.engine)
    if found != wanted:
        raise Failing(f"the schema is at {found or 'nothing'}, this code wants {wanted}: run `batchlab migrate`")
    return f"revision {found}"


def _broker(lab: Lab) -> str:
    ping(lab.settings)
    return "answers"


def _reconciler(lab: Lab) -> str:
    found = lab.read(facts.get, "reconciler")
    most = max(60.0, 6 * lab.settings.reconcile_seconds)
    if found is None:
        raise Failing("has not run yet")
    if found.age > most:
        raise Failing(f"last ran {found.age:.0f} s ago: neither a worker nor this server gets it done")
    return f"ran {found.age:.0f} s ago"


def _disk(lab: Lab) -> str:
    if lab.settings.database_volume is None:
        return "not watched: BATCHLAB_DATABASE_VOLUME is not set"
    if (short := disk.shortage(lab.settings, "refuse")) is not None:
        raise Failing(f"{short.free} bytes are free: new experiments are refused")
    return f"{disk.space(lab.settings.database_volume).free} bytes are free"
