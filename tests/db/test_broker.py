"""Wake-ups: what they hold, and that a broker in any state costs little and raises nothing."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchlab_db import broker
from batchlab_db.settings import Settings
from batchlab_lab.servers import Redis as Server
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from redis import Redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A broker of the test's own."""
    with Server(tmp_path / "r") as made:
        yield made


def at(server: Server) -> Settings:
    return Settings(broker_url=SecretStr(server.url))


def waiting(server: Server) -> int:
    with Redis(unix_socket_path=str(server.socket)) as client:
        return int(client.llen("cpu"))


def test_a_wake_up_says_nothing_but_look(settings: Settings, settings_redis: Redis) -> None:
    assert broker.wake(settings, ["cpu", "gpu"], n=2) == 4
    assert [settings_redis.llen(queue) for queue in broker.QUEUES] == [2, 2]
    message = json.loads(settings_redis.lindex("cpu", 0))
    assert message["headers"]["task"] == broker.TASK
    assert message["content-type"] == "application/json"
    assert (message["headers"]["argsrepr"], message["headers"]["kwargsrepr"]) == ("()", "{}")


def test_each_queue_may_have_its_own_number(settings: Settings, settings_redis: Redis) -> None:
    assert broker.wake_each(settings, {"cpu": 3, "gpu": 0}) == 3
    assert settings_redis.llen("cpu") == 3


def test_after_the_broker_was_flushed_wake_ups_still_arrive(settings: Settings, settings_redis: Redis) -> None:
    broker.wake(settings, ["cpu"])
    for key in settings_redis.scan_iter():
        settings_redis.delete(key)
    assert broker.wake(settings, ["cpu"]) == 1
    assert settings_redis.llen("cpu") == 1


def test_after_the_broker_was_killed_and_started_wake_ups_arrive_again(server: Server) -> None:
    assert broker.wake(at(server), ["cpu"]) == 1
    server.kill()
    assert broker.wake(at(server), ["cpu"]) == 0
    with pytest.raises(OperationalError):
        broker.ping(at(server))
    server.start()
    assert broker.wake(at(server), ["cpu"]) == 1
    assert waiting(server) == 1
    broker.ping(at(server))


def test_a_broker_that_hangs_is_not_waited_for(server: Server) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        assert broker.wake(at(server), ["cpu", "gpu"], n=100) == 0
        with pytest.raises(OperationalError):
            broker.ping(at(server))
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("redis://redis:6379/0", "redis://:p%2Fw@redis:6379/0"),
        ("redis://lab@redis:6379/0", "redis://lab:p%2Fw@redis:6379/0"),
        ("redis+socket:///run/r.sock", "redis+socket://:p%2Fw@/run/r.sock"),
    ],
)
def test_a_password_that_comes_apart_joins_the_address(url: str, whole: str) -> None:
    assert broker.broker_url(Settings(broker_url=SecretStr(url), broker_password=SecretStr("p/w"))) == whole


def test_celery_keeps_nothing_and_reads_only_json(settings: Settings) -> None:
    conf = broker.make_celery(settings).conf
    assert conf.accept_content == ["json"]
    assert conf.result_backend is None
    assert conf.broker_transport_options["ack_emulation"] is False
    assert (conf.task_acks_late, conf.worker_pool, conf.worker_prefetch_multiplier) == (False, "solo", 1)
