"""Backup and restore on a real database, with workers that go on meanwhile."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchlab_db import migrate
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab_db.tables import Cell, Cohort, Experiment
from batchlab_lab import backup
from batchlab_lab.errors import LabError
from batchlab_lab.home import Home
from batchlab_lab.servers import Postgres
from sqlalchemy import Engine, delete, insert, select, text, update


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    made = make_engine(settings, role="worker")
    yield made
    made.dispose()


@pytest.fixture
def cohort(engine: Engine) -> int:
    """A running cohort at epoch 7 with one running cell."""
    with engine.begin() as connection:
        spec = {"name": "kept", "dataset": {"kind": "sectors"}}
        facts = {"name": "kept", "spec": spec, "metrics": {}, "cells_total": 1, "updates_total": 10}
        connection.execute(insert(Experiment).values(id="abc", **facts))
        held = {
            "status": "running",
            "epoch": 7,
            "engine": "reference",
            "queue": "any",
            "device": "cpu",
            "fingerprint": {},
        }
        made = connection.execute(insert(Cohort).values(experiment_id="abc", **held).returning(Cohort.id))
        cohort_id: int = made.scalar_one()
        point = {"batch_size": 8, "lr": 0.5, "seed": 0, "params": {}, "point": {}, "stack_key": "k", "queue": "any"}
        cell = {"ordinal": 0, "status": "running", "steps_total": 10, "cohort_id": cohort_id, "position": 0}
        connection.execute(insert(Cell).values(experiment_id="abc", **point, **cell))
    return cohort_id


def test_what_was_deleted_is_there_again(settings: Settings, engine: Engine, cohort: int, tmp_path: Path) -> None:
    backup.save(settings, tmp_path / "lab.dump")
    with engine.begin() as connection:
        connection.execute(delete(Experiment))
    assert backup.restore(settings, tmp_path / "lab.dump") == (1, 1)
    with engine.connect() as connection:
        assert connection.scalars(select(Experiment.name)).all() == ["kept"]


def test_a_restore_shuts_out_every_lease_of_the_time_before(
    settings: Settings, engine: Engine, cohort: int, tmp_path: Path
) -> None:
    backup.save(settings, tmp_path / "lab.dump")
    with engine.begin() as connection:
        connection.execute(update(Cohort).values(epoch=40))
    backup.restore(settings, tmp_path / "lab.dump")
    with engine.connect() as connection:
        row = connection.execute(select(Cohort.epoch, Cohort.status, Cell.status).join(Cell)).one()
    assert row[0] > 40
    assert row[1:] == ("ready", "queued")


def test_a_restore_gets_its_way_while_workers_write(
    settings: Settings, engine: Engine, cohort: int, tmp_path: Path
) -> None:
    backup.save(settings, tmp_path / "lab.dump")
    over = threading.Event()
    mine = text("UPDATE cohorts SET phase = 'train' WHERE id = :id AND epoch = 7 AND status = 'running'")

    def work() -> None:
        while not over.is_set():
            with engine.begin() as connection:
                if connection.execute(mine, {"id": cohort}).rowcount:
                    connection.execute(text("UPDATE cells SET steps_done = steps_done + 1"))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        backup.restore(settings, tmp_path / "lab.dump")
    finally:
        over.set()
        worker.join()
    with engine.connect() as connection:
        assert connection.scalar(select(Cohort.phase)) is None


def test_a_restore_makes_an_empty_database_whole(
    settings: Settings, engine: Engine, cohort: int, postgres: Postgres, tmp_path: Path
) -> None:
    backup.save(settings, tmp_path / "lab.dump")
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    assert backup.restore(settings, tmp_path / "lab.dump") == (1, 1)
    assert migrate.current(engine) == migrate.head()


@pytest.mark.parametrize("content", [b"", b"not a dump", None])
def test_a_damaged_backup_changes_nothing(
    content: bytes | None, settings: Settings, engine: Engine, cohort: int, tmp_path: Path
) -> None:
    file = tmp_path / "lab.dump"
    if content is None:
        backup.save(settings, file)
        content = file.read_bytes()[:-2000]
    file.write_bytes(content)
    with pytest.raises(LabError):
        backup.restore(settings, file)
    with engine.connect() as connection:
        assert connection.scalar(select(Cohort.epoch)) == 7


def test_a_dump_that_fails_in_its_middle_changes_nothing(
    settings: Settings, engine: Engine, cohort: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.save(settings, tmp_path / "lab.dump")
    monkeypatch.setattr("batchlab_db.backups.AFTER", "SELECT 1 / 0;")
    with pytest.raises(LabError, match="division by zero"):
        backup.restore(settings, tmp_path / "lab.dump")
    with engine.connect() as connection:
        assert connection.scalar(select(Cohort.epoch)) == 7


def test_the_embedded_database_is_started_for_a_backup_and_stopped_after_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with backup.database(settings) as found:
        migrate.upgrade(found.database_url.get_secret_value())
        backup.save(found, tmp_path / "lab.dump")
        assert Home(settings.home).busy()
    assert not Home(settings.home).busy()
    assert (tmp_path / "lab.dump").stat().st_size > 0
