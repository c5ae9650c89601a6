"""Connections to Postgres, with every protective timeout set, and the one wrapper that retries a transaction."""

import json
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from batchlab_db.settings import Settings

Role = Literal["api", "worker", "migrate"]
T = TypeVar("T")

TIMEOUTS: dict[Role, dict[str, str]] = {
    "api": {
        "statement_timeout": "10s",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "10s",
        "transaction_timeout": "60s",
    },
    "worker": {
        "statement_timeout": "30s",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "10s",
        "transaction_timeout": "60s",
    },
    "migrate": {"lock_timeout": "3s", "idle_in_transaction_session_timeout": "60s"},
}
"""All of them are off in a bare server. `transaction_timeout` needs PostgreSQL 17."""
POOLS: dict[Role, tuple[int, int]] = {"api": (10, 5), "worker": (2, 2), "migrate": (1, 0)}
"""Connections kept, and how many more at a peak."""
NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Seconds, and milliseconds for the last: a host that went away without a word is noticed."""
CONNECTION_ENDED = ("08", "57P01", "57P02", "57P03", "25P03", "25P04")
TRY_AGAIN = (*CONNECTION_ENDED, "40001", "40P01", "55P03", "53300")
"""SQLSTATEs (or their beginnings) after which the same transaction may succeed."""
UNREACHABLE: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolTimeout)
"""What a statement raises when the server is away, cuts it off, or has no connection left."""


def database_url(settings: Settings) -> URL:
    """The database's address, with the password that came apart from it."""
    url = make_url(settings.database_url.get_secret_value())
    if settings.database_password is None:
        return url
    return url.set(password=settings.database_password.get_secret_value())


def make_engine(settings: Settings, *, role: Role) -> Engine:
    """An engine whose sessions carry the role's timeouts. JSON that is not finite is refused with ValueError."""
    kept, more = POOLS[role]
    options = " ".join(f"-c {name}={value}" for name, value in {**TIMEOUTS[role], "timezone": "UTC"}.items())
    return create_engine(
        database_url(settings),
        pool_size=kept,
        max_overflow=more,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_recycle=1800,
        json_serializer=partial(json.dumps, allow_nan=False),
        connect_args={**NETWORK, "options": options, "application_name": f"batchlab-{role}"},
    )


def transact(engine: Engine, work: Callable[[Connection], T], *, patience: float = 10.0) -> T:
    """Run `work` in one transaction; where the server went away or broke a tie, run all of it again.

    A transaction whose COMMIT got no answer is run again too, so `work` must come to the same end when its effect
    is already there. Gives up, with the last error, after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    pause = 0.05
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if not may_retry(error) or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, 1.0)


def may_retry(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed a little later."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # no answer from the server: refused, cut off, or not up yet
        return error.connection_invalidated or isinstance(error, OperationalError)
    return str(state).startswith(TRY_AGAIN)
