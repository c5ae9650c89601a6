"""The file that is deleted when the disk is full."""

from collections import namedtuple
from pathlib import Path

import pytest
from batchlab_db.settings import Settings
from batchlab_lab import ballast, doctor

SIZE = 2**20
Usage = namedtuple("Usage", "total used free")


def test_it_takes_the_space_and_gives_it_back(tmp_path: Path) -> None:
    assert ballast.keep(tmp_path, SIZE)
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= SIZE
    assert not ballast.keep(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_there_is_left_alone_and_one_of_another_size_is_made_anew(tmp_path: Path) -> None:
    assert ballast.keep(tmp_path, SIZE)
    (tmp_path / "ballast").write_bytes(b"x" * SIZE)
    assert ballast.keep(tmp_path, SIZE)
    assert (tmp_path / "ballast").read_bytes()[:1] == b"x"
    assert ballast.keep(tmp_path, 2 * SIZE)
    assert ballast.held(tmp_path) == 2 * SIZE


def test_none_is_made_on_a_disk_that_it_would_make_narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(100 * SIZE, 91 * SIZE, 9 * SIZE))
    assert not ballast.keep(tmp_path, SIZE)
    assert ballast.held(tmp_path) == 0


def test_where_no_space_can_be_taken_a_lab_runs_without(tmp_path: Path) -> None:
    assert not ballast._fill(tmp_path / "ballast", 2**62)
    assert ballast.held(tmp_path) == 0


def test_the_doctor_tells_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ballast.keep(tmp_path, SIZE)
    assert "ballast of 0.0 GB" in doctor.disk(Settings(home=tmp_path)).detail
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**9, 10**9 - 10**7, 10**7))
    assert f"delete {tmp_path / 'ballast'}" in doctor.disk(Settings(home=tmp_path)).remedy
