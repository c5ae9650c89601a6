"""The embedded servers, run for real."""

import psycopg
import pytest
from batchlab_db.settings import Settings
from batchlab_lab.servers import Redis
from redis import Redis as Client
from redis.exceptions import NoPermissionError
from sqlalchemy import create_engine, inspect


def test_a_test_gets_a_migrated_database(database_url: str) -> None:
    engine = create_engine(database_url)
    assert "experiments" in inspect(engine).get_table_names()
    engine.dispose()


def test_one_test_does_not_see_the_rows_of_another(settings: Settings) -> None:
    url = settings.database_url.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM facts").fetchone() == (0,)
        connection.execute("INSERT INTO facts (name, value) VALUES ('seen', '{}')")


test_one_test_does_not_see_the_rows_of_another_either = test_one_test_does_not_see_the_rows_of_another


def test_the_broker_runs_scripts_but_no_dangerous_command(redis: Redis, redis_url: str) -> None:
    with Client(unix_socket_path=str(redis.socket)) as client:
        assert client.eval("return 1", 0) == 1
        for command in ("FLUSHALL", "CONFIG GET *", "ACL LIST", "SHUTDOWN", "DEBUG SLEEP 0", "KEYS *"):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command.split())
