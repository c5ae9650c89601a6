"""CIFAR's files: both versions, packed and unpacked, and pickles of which nothing is ever executed."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from batchlab.datasets import Cifar10, Info, batches, cifar
from batchlab.datasets.cifar import CIFAR10, CIFAR100, PIXELS, Source
from batchlab.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "cifar10-small" / "cifar10_small_exact.npz"
Files = dict[str, bytes]


class Python2(pickle._Pickler):
    """Writes bytes as Python 2, which made the official files, wrote its strings."""

    def save_string(self, data: bytes) -> None:
        self.write(b"T" + struct.pack("<I", len(data)) + data)  # type: ignore[attr-defined]

    dispatch: ClassVar[Any] = pickle._Pickler.dispatch | {bytes: save_string}  # type: ignore[attr-defined]


def pickled(pictures: Any, labels: list[int]) -> bytes:
    """A batch as the Python version has it."""
    out = io.BytesIO()
    Python2(out, 2).dump({b"batch_label": b"a batch", b"labels": labels, b"data": pictures})
    return out.getvalue().replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")


def recorded(pictures: Any, labels: list[int]) -> bytes:
    """A batch as the binary version has it."""
    return np.concatenate([np.array(labels, np.uint8)[:, None], pictures], axis=1).tobytes()


def tar(folder: str, files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


@pytest.fixture(scope="module")
def pictures() -> Any:
    return np.random.default_rng(0).integers(0, 256, (12, PIXELS)).astype(np.uint8)


@pytest.fixture(scope="module")
def labels() -> list[int]:
    return [7, 0, 1, 2, 3, 4, 5, 6, 8, 9, 3, 1]


@pytest.fixture
def versions(pictures: Any, labels: list[int]) -> dict[str, Files]:
    """Two pictures a file, six files, by version."""
    pairs = [slice(i, i + 2) for i in range(0, 12, 2)]
    names = {version.folder: version.files for version in CIFAR10.versions}
    write = {"cifar-10-batches-bin": recorded, "cifar-10-batches-py": pickled}
    return {
        folder: {name: write[folder](pictures[at], labels[at]) for name, at in zip(names[folder], pairs, strict=True)}
        for folder in names
    }


@pytest.fixture
def tiny(versions: dict[str, Files]) -> Any:
    """A kind that knows these files by their checksums."""
    known = [
        replace(
            version,
            md5=hashlib.md5(tar(version.folder, versions[version.folder])).hexdigest(),
            unpacked={name: hashlib.md5(versions[version.folder][name]).hexdigest() for name in version.unpacked},
        )
        for version in CIFAR10.versions
    ]

    class Tiny(Cifar10):
        facts: ClassVar[Info] = Info(10, 2, (3, 32, 32), 10)
        source: ClassVar[Source] = Source("cifar10", tuple(known))

    return Tiny()


def write(folder: Path, versions: dict[str, Files], version: cifar.Version, *, packed: bool) -> None:
    files = versions[version.folder]
    folder.mkdir(parents=True, exist_ok=True)
    if packed:
        (folder / version.archive).write_bytes(tar(version.folder, files))
        return
    (folder / version.folder).mkdir()
    for name, data in files.items():
        (folder / version.folder / name).write_bytes(data)


@pytest.mark.parametrize("place", ["cifar10", ""])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("version", CIFAR10.versions, ids=["binary", "python"])
def test_both_versions_give_the_same_pictures(
    version: cifar.Version,
    packed: bool,
    place: str,
    versions: Any,
    tiny: Any,
    tmp_path: Path,
    pictures: Any,
    labels: Any,
) -> None:
    assert not tiny.available(tmp_path)
    write(tmp_path / place, versions, version, packed=packed)
    data = tiny.load(tmp_path)
    assert tiny.available(tmp_path)
    assert np.array_equal(np.round(data.x * 255).reshape(10, -1), pictures[:10])
    assert (data.y.tolist(), data.y_test.tolist()) == (labels[:10], labels[10:])
    assert data.x.shape == (10, 3, 32, 32) and data.x_test.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("packed", [True, False])
def test_other_files_under_the_right_names_are_refused(packed: bool, versions: Any, tiny: Any, tmp_path: Path) -> None:
    _, python = CIFAR10.versions
    versions[python.folder]["data_batch_3"] += b" "
    write(tmp_path, versions, python, packed=packed)
    with pytest.raises(DataError, match="not the published file"):
        tiny.load(tmp_path)


def test_a_cut_record_is_refused(versions: Any, tiny: Any, tmp_path: Path) -> None:
    binary, _ = CIFAR10.versions
    versions[binary.folder]["test_batch.bin"] = versions[binary.folder]["test_batch.bin"][:-1]
    write(tmp_path, versions, binary, packed=False)
    with pytest.raises(DataError, match=r"test_batch.bin.*no records of 3073"):
        tiny.load(tmp_path)


def test_the_fine_classes_of_cifar100_are_the_second_byte(pictures: Any) -> None:
    coarse, fine = np.full((12, 1), 3, np.uint8), np.arange(12, dtype=np.uint8)[:, None]
    data = np.concatenate([coarse, fine, pictures], axis=1).tobytes()
    rows, classes = batches.records(data, int(CIFAR100.versions[0].labels), PIXELS)
    assert np.array_equal(rows, pictures)
    assert classes.tolist() == list(range(12))


@pytest.mark.parametrize("protocol", range(5))
def test_a_batch_that_python_3_pickled_is_read(protocol: int, pictures: Any, labels: list[int]) -> None:
    data = pickle.dumps({"data": pictures, "labels": labels}, protocol)
    rows, classes = batches.pickled(data, "labels", PIXELS)
    assert np.array_equal(rows, pictures)
    assert classes.tolist() == labels


def test_columns_first_are_put_into_rows(pictures: Any, labels: list[int]) -> None:
    rows, _ = batches.pickled(pickled(np.asfortranarray(pictures), labels), "labels", PIXELS)
    assert np.array_equal(rows, pictures)


class Hostile:
    """An object whose pickle runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_runs_nothing(protocol: int, pictures: Any, labels: list[int], tmp_path: Path) -> None:
    marker = tmp_path / "run"
    for evil in ({b"data": Hostile(marker), b"labels": labels}, Hostile(marker), [pictures, Hostile(marker)]):
        with pytest.raises(ValueError, match="more than a batch of pictures"):
            batches.pickled(pickle.dumps(evil, protocol), "labels", PIXELS)
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no pickle",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
        b"cbatchlab.datasets.batches\nio\n.",
        pickle.dumps({"data": np.zeros((2, PIXELS), np.uint8)}),
        pickle.dumps({"data": np.zeros((2, PIXELS), np.uint8), "labels": [1]}),
        pickle.dumps({"data": np.zeros((2, PIXELS), np.uint8), "labels": [1, 2.5]}),
        pickle.dumps({"data": np.zeros((2, PIXELS), np.uint8), "labels": [1, 10**30]}),
        pickle.dumps({"data": np.zeros((2, 7), np.uint8), "labels": [1, 2]}),
        pickle.dumps({"data": np.zeros((2, PIXELS)), "labels": [1, 2]}),
        pickle.dumps({"data": np.array([["a"] * PIXELS] * 2, object), "labels": [1, 2]}),
        pickle.dumps([1, 2]),
        b"\x80\x02" + b"(" * 1000,
    ],
)
def test_anything_but_a_batch_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"pickle|batch|pictures|labels"):
        batches.pickled(data, "labels", PIXELS)


def test_data_that_are_not_there_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"batchlab data fetch cifar10.*cifar-10-binary.tar.gz or cifar-10-python"):
        Cifar10().load(tmp_path)


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.exists(), reason="the shared part of CIFAR-10 is not there")
def test_a_real_batch_is_read_alike_from_both_forms() -> None:
    with np.load(SHARED) as real:
        pictures, labels = real["x"][:1000].transpose(0, 3, 1, 2).reshape(1000, -1), real["y"][:1000].tolist()
    (one, first), (two, second) = (
        batches.records(recorded(pictures, labels), 1, PIXELS),
        batches.pickled(pickled(pictures, labels), "labels", PIXELS),
    )
    assert np.array_equal(one, two) and first.tolist() == second.tolist() == labels
