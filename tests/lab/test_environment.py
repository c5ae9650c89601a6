"""A wrong environment is told in a sentence that names the variable, whichever command meets it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from batchlab_db.settings import Settings
from batchlab_db.settings import settings as process_settings
from batchlab_lab import cli, exits
from batchlab_lab.environment import need_servers
from batchlab_lab.errors import LabError
from batchlab_worker.supervisor import EX_CONFIG

DATABASE = "postgresql+psycopg://batchlab@127.0.0.1/batchlab"


@pytest.fixture(autouse=True)
def fresh() -> None:
    process_settings.cache_clear()


@pytest.mark.parametrize("command", [["token"], ["results", "x"], ["up"], ["worker"], ["doctor"]])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BATCHLAB_TOKEN_FILE", "/nope"),
        ("BATCHLAB_SLICE_SECONDS", "abc"),
        ("BATCHLAB_ALLOWED_HOSTS", "lab.example.org"),
    ],
)
def test_a_wrong_variable_is_named(
    command: list[str], variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert cli.run(command) == exits.FAILED
    said = capsys.readouterr().err
    assert said.startswith(f"batchlab: {variable}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("command", [["worker"], ["worker", "--health"], ["api"]])
def test_what_needs_servers_says_that_no_address_is_set(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BATCHLAB_DATABASE_URL", raising=False)
    assert cli.run(command) == exits.FAILED
    assert "BATCHLAB_DATABASE_URL is not set" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["nonsense", "postgresql://batchlab@db/batchlab", "postgresql+psycopg://db:x/y"])
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(LabError, match="BATCHLAB_DATABASE_URL is no address") as caught:
        need_servers(Settings(database_url=url, broker_url="redis://broker"))
    assert url not in str(caught.value)


@pytest.mark.parametrize(("url", "why"), [("", "not set"), ("amqp://broker", "no address")])
def test_a_broker_must_be_a_redis(url: str, why: str) -> None:
    with pytest.raises(LabError, match=f"BATCHLAB_BROKER_URL is {why}"):
        need_servers(Settings(database_url=DATABASE, broker_url=url))


def test_the_addresses_of_a_lab_are_good(settings: Settings) -> None:
    assert need_servers(settings) is settings


@pytest.mark.parametrize("queues", ["foo", "cpu,tpu", ""])
def test_a_queue_that_is_none_is_refused_with_the_known_ones(queues: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["worker", "--queues", queues]) == exits.REFUSED
    assert "cpu and gpu" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{"BATCHLAB_DATABASE_URL": "nonsense"}, {"BATCHLAB_SLICE_SECONDS": "abc"}])
def test_a_worker_process_with_wrong_settings_asks_not_to_be_started_again(
    wrong: dict[str, str], environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "batchlab_worker"],
        env={**os.environ, **environment, **wrong},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == EX_CONFIG
    assert "misconfigured" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
