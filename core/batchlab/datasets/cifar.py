"""CIFAR-10 and CIFAR-100, from the official archives: the binary version, or the Python version without unpickling."""

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from batchlab.datasets import batches
from batchlab.datasets.base import Arrays, DatasetKind, Info
from batchlab.downloads import download
from batchlab.errors import DataError

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
PIXELS = 3 * 32 * 32
Rows = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Pictures (n, 3, 32, 32) and their classes."""


@dataclass(frozen=True)
class Version:
    """One form in which a set is published: an archive of a folder of files, of which the last is the test part."""

    archive: str
    md5: str
    folder: str
    files: tuple[str, ...]
    labels: str | int
    """In a pickle the key of the classes; in records the bytes before a picture, of which the last is its class."""
    unpacked: Mapping[str, str]
    """MD5 of each unpacked file, where it is published."""


@dataclass(frozen=True)
class Source:
    """Where a set is looked for, and what it is checked against."""

    name: str
    versions: tuple[Version, ...]
    """The binary one first: it is the one that is downloaded."""

    def find(self, folder: Path) -> tuple[Version, Path] | None:
        """The first version that is there, as an archive or unpacked."""
        for place in (folder / self.name, folder):
            for version in self.versions:
                if (place / version.archive).is_file():
                    return version, place / version.archive
                if all((place / version.folder / name).is_file() for name in version.files):
                    return version, place / version.folder
        return None


class _Cifar(DatasetKind):
    bundled: ClassVar[bool] = False
    source: ClassVar[Source]

    def available(self, folder: Path) -> bool:
        return self.source.find(folder) is not None

    def fetch(self, folder: Path, mirrors: Sequence[str] = ()) -> None:
        if not self.available(folder):
            binary = self.source.versions[0]
            download(folder / self.source.name, binary.archive, binary.md5, mirrors or MIRRORS)

    def load(self, folder: Path) -> Arrays:
        found = self.source.find(folder)
        if found is None:
            archives = " or ".join(version.archive for version in self.source.versions)
            raise DataError(
                f"{self.tag()} is not in {folder}: run `batchlab data fetch {self.tag()}`, or put {archives} "
                f"in {folder / self.source.name}"
            )
        version, path = found
        files = _from_folder(path, version) if path.is_dir() else _from_archive(path, version)
        parts = [_rows(data, version, self.facts.outputs, f"{path}: {name}") for name, data in files.items()]
        train, test = parts[:-1], parts[-1]
        x, y = np.concatenate([rows for rows, _ in train]), np.concatenate([classes for _, classes in train])
        if (len(x), len(test[0])) != (self.facts.rows, self.facts.test_rows):
            raise DataError(f"{path} holds {len(x)} and {len(test[0])} pictures: remove it and fetch it again")
        return Arrays(_pixels(x), y, _pixels(test[0]), test[1])


def _rows(data: bytes, version: Version, classes: int, where: str) -> Rows:
    """The pictures and classes of one file; DataError, with where it lies, for anything but the published structure."""
    try:
        pictures, found = (
            batches.records(data, version.labels, PIXELS)
            if isinstance(version.labels, int)
            else batches.pickled(data, version.labels, PIXELS)
        )
    except ValueError as error:
        raise DataError(f"{where}: {error}: remove it and fetch it again") from error
    if found.size and not 0 <= found.min() <= found.max() < classes:
        raise DataError(f"{where}: a class beyond 0 .. {classes - 1}: remove it and fetch it again")
    return pictures.reshape(-1, 3, 32, 32), found


def _from_folder(path: Path, version: Version) -> dict[str, bytes]:
    files = {name: (path / name).read_bytes() for name in version.files}
    for name, data in files.items():
        if version.unpacked.get(name, _md5(data)) != _md5(data):
            raise DataError(f"{path / name} is not the published file: remove it and fetch it again")
    return files


def _from_archive(path: Path, version: Version) -> dict[str, bytes]:
    with path.open("rb") as file:
        if hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != version.md5:
            raise DataError(f"{path} is not the published file: remove it and fetch it again")
    with tarfile.open(path, "r:gz") as packed:
        found = {Path(member.name).name: packed.extractfile(member) for member in packed if member.isfile()}
        return {name: file.read() for name in version.files for file in [found[name]] if file is not None}


def _pixels(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = pictures.astype(np.float32)
    scaled /= np.float32(255)
    return scaled


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


CIFAR10 = Source(
    "cifar10",
    (
        Version(
            "cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
            "cifar-10-batches-bin",
            (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"),
            1,
            {},
        ),
        Version(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            "cifar-10-batches-py",
            (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
            "labels",
            {
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            },
        ),
    ),
)
CIFAR100 = Source(
    "cifar100",
    (
        Version(
            "cifar-100-binary.tar.gz",
            "03b5dce01913d631647c71ecec9e9cb8",
            "cifar-100-binary",
            ("train.bin", "test.bin"),
            2,
            {},
        ),
        Version(
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-python",
            ("train", "test"),
            "fine_labels",
            {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        ),
    ),
)


class Cifar10(_Cifar):
    """Colour pictures of ten kinds of things, 3x32x32 pixels of 0 .. 1 (Krizhevsky 2009); ships a test part."""

    kind: Literal["cifar10"] = "cifar10"
    facts: ClassVar[Info] = Info(50000, 10000, (3, 32, 32), 10)
    source: ClassVar[Source] = CIFAR10


class Cifar100(_Cifar):
    """Colour pictures of a hundred kinds of things, 3x32x32 pixels of 0 .. 1 (Krizhevsky 2009); ships a test part."""

    kind: Literal["cifar100"] = "cifar100"
    facts: ClassVar[Info] = Info(50000, 10000, (3, 32, 32), 100)
    source: ClassVar[Source] = CIFAR100
