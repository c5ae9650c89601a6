"""Connections: timeouts, and what a transaction survives."""

import pytest
from batchlab_db import wire
from batchlab_db.engine import database_url, make_engine, transact
from batchlab_db.settings import Settings
from batchlab_lab.servers import Postgres
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError


def test_a_password_that_comes_apart_joins_the_address() -> None:
    known = Settings(
        database_url=SecretStr("postgresql+psycopg://batchlab@db/batchlab"), database_password=SecretStr("a/b@c")
    )
    assert (
        database_url(known).render_as_string(hide_password=False)
        == "postgresql+psycopg://batchlab:a%2Fb%40c@db/batchlab"
    )


@pytest.mark.parametrize(("role", "statement"), [("api", "10s"), ("worker", "30s"), ("migrate", "0")])
def test_every_session_has_its_timeouts(settings: Settings, role: str, statement: str) -> None:
    engine = make_engine(settings, role=role)
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == statement
        assert connection.scalar(text("SHOW lock_timeout")) == "3s"
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) != "0"
        assert connection.scalar(text("SHOW timezone")) == "UTC"
    engine.dispose()


def interrupted(engine: Engine, times: int, how: str) -> list[int]:
    """Run a transaction that is cut off the first `times` times; the backends that it ran in."""
    seen: list[int] = []

    def work(connection: Connection) -> None:
        seen.append(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
        if len(seen) <= times:
            connection.execute(text(how))

    transact(engine, work)
    return seen


def test_a_connection_that_is_cut_in_mid_transaction_is_replaced(settings: Settings) -> None:
    engine = make_engine(settings, role="worker")
    seen = interrupted(engine, 2, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert len(set(seen)) == 3
    engine.dispose()


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_a_tie_that_the_server_broke_is_tried_again(settings: Settings, state: str) -> None:
    engine = make_engine(settings, role="worker")
    how = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"
    assert len(interrupted(engine, 2, how)) == 3
    engine.dispose()


@pytest.mark.parametrize("state", ["40P01", "55P03", "57P01"])
def test_a_tie_within_binary_reads_and_writes_is_tried_again(settings: Settings, state: str) -> None:
    engine = make_engine(settings, role="worker")
    tried = []

    def work(connection: Connection) -> None:
        tried.append(1)
        if len(tried) <= 2:
            with wire.cursor(connection) as cursor:
                cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")

    transact(engine, work)
    assert len(tried) == 3
    engine.dispose()


def test_a_connection_that_is_cut_within_a_copy_is_replaced(settings: Settings) -> None:
    engine = make_engine(settings, role="worker")
    seen: list[int] = []

    def work(connection: Connection) -> None:
        seen.append(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
        connection.execute(text("CREATE TABLE IF NOT EXISTS taken (x int)"))
        with wire.copy(connection, "COPY taken FROM STDIN (FORMAT BINARY)"):
            if len(seen) == 1:
                transact(
                    engine, lambda other: other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": seen[0]})
                )

    transact(engine, work)
    assert len(set(seen)) == 2
    engine.dispose()


def test_a_fault_of_the_statement_is_not_tried_again(settings: Settings) -> None:
    engine = make_engine(settings, role="worker")
    tried = []

    def work(connection: Connection) -> None:
        tried.append(1)
        connection.execute(text("SELECT * FROM nowhere"))

    with pytest.raises(ProgrammingError):
        transact(engine, work)
    assert tried == [1]
    engine.dispose()


def test_a_server_that_is_away_is_given_up_after_a_while(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": SecretStr("postgresql+psycopg://batchlab@/x?host=/nowhere")})
    engine = make_engine(away, role="worker")
    with pytest.raises(OperationalError):
        transact(engine, lambda connection: None, patience=0.2)


def test_a_restart_of_the_server_is_waited_out(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Postgres(tmp_path_factory.mktemp("pg"), options={"fsync": "off"}) as server:
        own = settings.model_copy(update={"database_url": SecretStr(server.url)})
        engine = make_engine(own, role="worker")
        transact(engine, lambda connection: connection.execute(text("CREATE TABLE kept (x int)")))
        for end in (server.stop, server.kill):
            end()
            with pytest.raises(DBAPIError):
                transact(engine, lambda connection: connection.execute(text("SELECT 1")), patience=0.1)
            server.start()
            transact(engine, lambda connection: connection.execute(text("INSERT INTO kept VALUES (1)")))
        assert transact(engine, lambda connection: connection.scalar(text("SELECT count(*) FROM kept"))) == 2
        engine.dispose()
