"""Real servers for every test: one PostgreSQL and one Redis a pytest process, a migrated database a test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis as redis_client
from batchlab_db import migrate
from batchlab_db.settings import Settings
from batchlab_lab.servers import Postgres, Redis

QUICK = {"fsync": "off", "shared_buffers": "64MB"}
"""A test's data need not survive a power cut."""


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A short path of this pytest process's own, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="batchlab-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(servers_folder: Path) -> Iterator[Postgres]:
    """A server whose database `batchlab` is migrated and then only copied from."""
    with Postgres(servers_folder / "postgres", options=QUICK) as server:
        migrate.upgrade(server.url)
        yield server


@pytest.fixture(scope="session")
def redis(servers_folder: Path) -> Iterator[Redis]:
    with Redis(servers_folder / "redis") as server:
        yield server


SESSIONS_END = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND usename = current_user
"""


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """A fresh migrated database of the test's own."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(host=str(postgres.sockets), user="batchlab", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE batchlab")
        yield postgres.url_of(name)
        # Not WITH (FORCE): that is refused while autovacuum, the superuser's, is there; a plain DROP sends it away.
        connection.execute(SESSIONS_END, (name,))
        connection.execute(f"DROP DATABASE {name}")


@pytest.fixture
def redis_url(redis: Redis) -> str:
    """The broker, emptied."""
    flush(redis)
    return redis.url


def flush(server: Redis) -> None:
    """Delete every key (the lab's user may not FLUSHALL)."""
    with redis_client.Redis(unix_socket_path=str(server.socket)) as connection:
        for key in connection.scan_iter():
            connection.delete(key)


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """The settings of a process of a lab on the test's own database."""
    return Settings(home=tmp_path / "home", database_url=database_url, broker_url=redis_url)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The same as environment variables, for child processes."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BATCHLAB_")}
    return {
        **inherited,
        "BATCHLAB_HOME": str(settings.home),
        "BATCHLAB_DATABASE_URL": settings.database_url.get_secret_value(),
        "BATCHLAB_BROKER_URL": settings.broker_url.get_secret_value(),
    }
