"""What the doctor sees."""

import socket
from collections import namedtuple
from pathlib import Path

import pytest
from batchlab import calibration
from batchlab.cost import Costs, Rates
from batchlab_db.settings import Settings
from batchlab_lab import doctor
from batchlab_lab.home import Home
from batchlab_lab.servers import Postgres
from batchlab_worker import device, fleet
from pydantic import SecretStr

Usage = namedtuple("Usage", "total used free")


def test_a_machine_that_runs_these_tests_is_well(settings: Settings) -> None:
    checks = list(doctor.examine(settings))
    assert [check for check in checks if check.state == "fail"] == []
    assert {check.name for check in checks} >= {
        "machine",
        "versions",
        "postgres",
        "redis",
        "disk",
        "database",
        "broker",
    }


def test_looking_changes_nothing(tmp_path: Path) -> None:
    list(doctor.examine(Settings(home=tmp_path / "home")))
    assert not (tmp_path / "home").exists()


def test_the_speed_is_told_once_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = doctor.speed(Settings(home=tmp_path))
    assert "not measured yet" in before.detail and "--measure" in before.remedy
    fast = Rates(reference=Costs(update=42e-6, array=2e-6, dense=6e-11), stacked=Costs(update=3e-4), misfit=0.1)
    monkeypatch.setattr(calibration, "known", lambda *_: fast)
    told = doctor.speed(Settings(home=tmp_path)).detail
    assert "takes 42 µs and 2.0 µs for each array" in told and "one of a stack 300 µs" in told
    assert (
        "100 GFLOP/s" in told
        and "may hold 1.0 GiB" in told
        and told.endswith("right to 10% for the runs that they are from")
    )


def test_it_is_measured_anew_as_a_worker_would(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(fleet, "shares", lambda gpus: (2, 3))
    monkeypatch.setattr(device, "set_threads", asked.append)
    monkeypatch.setattr(calibration, "rates", lambda where, anew: asked.append((where, anew)))
    doctor.measure_speed()
    assert asked == [3, ("cuda:0" if device.gpu_is_there() else "cpu", True)]


def test_a_database_and_a_broker_that_are_away_are_told(settings: Settings, tmp_path: Path) -> None:
    away = Settings(
        home=tmp_path,
        database_url=f"postgresql+psycopg://batchlab@/batchlab?host={tmp_path}",
        broker_url=f"redis+socket://{tmp_path}/nothing.sock",
    )
    assert doctor.database(away).state == "fail"
    assert doctor.broker(away).state == "fail"
    assert doctor.broker(settings).state == "ok"


def test_a_database_that_was_never_migrated_is_sent_to_migrate(settings: Settings, postgres: Postgres) -> None:
    bare = settings.model_copy(update={"database_url": SecretStr(postgres.url_of("postgres"))})
    found = doctor.database(bare)
    assert found.state == "fail"
    assert "batchlab migrate" in found.remedy


def test_a_taken_port_is_seen() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", doctor.PORT))
            taken.listen()
        except OSError:
            pytest.skip("something else listens there already")
        assert doctor.port(Settings()).state == "warn"


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    assert doctor.home(Settings(home=tmp_path / "home")).state == "fail"


def test_a_data_directory_in_use_is_said_to_be(tmp_path: Path) -> None:
    with Home(tmp_path / "lab").held():
        assert "in use" in doctor.home(Settings(home=tmp_path / "lab")).detail


def test_a_disk_below_the_gate_fails_with_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**9, 10**9 - 10**7, 10**7))
    check = doctor.disk(Settings())
    assert check.state == "fail"
    assert "0.0 of 1.0 GB" in check.detail
