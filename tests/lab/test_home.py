"""The data directory: whose it is, and one lab at a time."""

import os
import stat
from pathlib import Path

import pytest
from batchlab_lab.errors import HomeBusyError, LabError
from batchlab_lab.home import Home


def test_a_new_data_directory_is_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "above" / "lab")
    with home.held():
        for folder in (home.folder, home.logs, home.data):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_directory_that_exists_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir(mode=0o755)
    before = (tmp_path / "lab").stat()
    with Home(tmp_path / "lab").held():
        after = (tmp_path / "lab").stat()
    assert (before.st_mode, before.st_uid) == (after.st_mode, after.st_uid)


def test_a_second_lab_is_told_who_is_there_and_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path / "lab")
    with home.held():
        assert home.busy()
        with pytest.raises(HomeBusyError, match=rf"process {os.getpid()}.*--data-dir"), Home(tmp_path / "lab").held():
            pass
    assert not home.busy()


def test_a_lock_that_somebody_left_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "lock").write_text("123456\n")
    with Home(tmp_path / "lab").held():
        assert (tmp_path / "lab" / "lock").read_text() == f"{os.getpid()}\n"


def test_a_place_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="choose another place"), Home(tmp_path / "file" / "lab").held():
        pass
