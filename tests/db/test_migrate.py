"""Migrations: from nothing to head and back, by several starters at once, and equal to the tables of the code."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from alembic import command
from batchlab.engines.base import CellBlock
from batchlab_db import migrate, raw, series
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab_lab.servers import Postgres
from kit import Bench
from pydantic import SecretStr
from sqlalchemy import Engine, inspect, text


@pytest.fixture
def empty(postgres: Postgres, settings: Settings) -> Iterator[Settings]:
    """The settings of a database without any table."""
    engine = make_engine(settings, role="migrate")
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        name = f"{connection.scalar(text('SELECT current_database()'))}_empty"
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        yield settings.model_copy(update={"database_url": SecretStr(postgres.url_of(name))})
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


@pytest.fixture
def engine(empty: Settings) -> Iterator[Engine]:
    made = make_engine(empty, role="migrate")
    yield made
    made.dispose()


def test_several_starters_at_once_migrate_once(empty: Settings, engine: Engine) -> None:
    assert migrate.current(engine) is None
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(migrate.upgrade, empty.database_url.get_secret_value()) for _ in range(3)]:
            done.result()
    assert migrate.current(engine) == migrate.head()


def test_the_migrations_make_the_tables_of_the_code(empty: Settings, engine: Engine) -> None:
    migrate.upgrade(empty.database_url.get_secret_value())
    with engine.begin() as connection:
        config = migrate.config()
        config.attributes["connection"] = connection
        command.check(config)


def test_every_migration_can_be_taken_back(empty: Settings, engine: Engine) -> None:
    migrate.upgrade(empty.database_url.get_secret_value())
    with engine.begin() as connection:
        config = migrate.config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert inspect(engine).get_view_names() == []


def test_equal_series_are_stored_anew_where_the_tables_know_none(bench: Bench) -> None:
    cell = bench.cells(bench.submit())[0]["id"]
    values = np.sin(np.arange(1000)).astype(np.float32)
    none = np.empty(0, dtype=np.int64)
    with bench.engine.begin() as connection:
        series.write(connection, [(cell, CellBlock(1, {"loss": values, "twin": values}, none, {}, 1000))])
        deleted = bench.submit()
        other = bench.cells(deleted)[0]["id"]
        series.write(connection, [(other, CellBlock(1, {"loss": values, "twin": values}, none, {}, 1000))])
        connection.execute(text("UPDATE experiments SET deleted_at = now() WHERE id = :id"), {"id": deleted})
        # As far as a purge may have come.
        connection.execute(text("DELETE FROM series_blocks WHERE cell_id = :cell AND metric = 'loss'"), {"cell": other})
        config = migrate.config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
        stored = connection.execute(text("SELECT data, l1 FROM series_blocks ORDER BY metric")).all()
        assert len(stored) == 2 and stored[0] == stored[1]
        command.upgrade(config, "head")
    [twin] = raw.stretches(bench.engine, [cell], ["twin"])
    assert twin.values.tobytes() == values.tobytes()
