"""EMNIST: its splits, from the archive or unpacked, with every picture put upright."""

import gzip
import hashlib
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab.datasets import Emnist, Info, emnist
from batchlab.errors import DataError

PICTURE = np.zeros((28, 28), np.uint8)
PICTURE[2, 5:20] = 255  # a bar at the top, lying


def pack(array: Any) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The letters, three for training and two for testing, as the archive holds them: mirrored, numbered from 1."""
    monkeypatch.setitem(emnist.FACTS, "letters", Info(3, 2, (1, 28, 28), 26))  # type: ignore[arg-type]
    arrays = [np.stack([PICTURE.T] * 3), np.array([1, 26, 7]), np.stack([PICTURE.T] * 2), np.array([2, 3])]
    return {f"emnist-letters-{part}.gz": pack(array) for part, array in zip(emnist.PARTS, arrays, strict=True)}


def archive(folder: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir(parents=True)
    path = folder / emnist.ARCHIVE
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(f"gzip/{name}", data)
    monkeypatch.setattr(emnist, "ARCHIVE_MD5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


def check(data: Any) -> None:
    assert np.array_equal(data.x, np.stack([PICTURE[None] / np.float32(255)] * 3))
    assert data.y.tolist() == [0, 25, 6]
    assert data.y_test.tolist() == [1, 2]


def test_the_archive_is_read_as_it_is(files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(tmp_path / "emnist", files, monkeypatch)
    assert Emnist(split="letters").available(tmp_path)
    check(Emnist(split="letters").load(tmp_path))


@pytest.mark.parametrize("packed", [True, False])
def test_unpacked_files_are_found_where_others_put_them(files: Any, packed: bool, tmp_path: Path) -> None:
    folder = tmp_path / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / (name if packed else name.removesuffix(".gz"))).write_bytes(data if packed else gzip.decompress(data))
    assert not Emnist(split="digits").available(tmp_path)
    check(Emnist(split="letters").load(tmp_path))


def test_another_archive_is_refused(files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "emnist", files, monkeypatch)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="not the published file"):
        Emnist(split="letters").load(tmp_path)


@pytest.mark.parametrize(("part", "wrong"), [(1, np.array([1, 27, 7])), (1, np.array([1, 0, 7])), (3, np.array([1])),
                                             (0, np.zeros((3, 7, 7)))])  # fmt: skip
def test_files_of_something_else_are_refused(
    files: Any, part: int, wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path / "emnist", files | {f"emnist-letters-{emnist.PARTS[part]}.gz": pack(wrong)}, monkeypatch)
    with pytest.raises(DataError, match="not the published files of emnist's split letters"):
        Emnist(split="letters").load(tmp_path)


def test_data_that_are_not_there_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"batchlab data fetch emnist.*gzip\.zip"):
        Emnist().load(tmp_path)


def test_every_split_has_its_own_facts() -> None:
    assert {name: (info.rows, info.test_rows, info.classes) for name, info in emnist.FACTS.items()} == {
        "byclass": (697932, 116323, 62),
        "bymerge": (697932, 116323, 47),
        "balanced": (112800, 18800, 47),
        "letters": (124800, 20800, 26),
        "digits": (240000, 40000, 10),
        "mnist": (60000, 10000, 10),
    }
    assert Emnist(split="digits").train_rows() == 240000
