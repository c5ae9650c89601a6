"""EMNIST: letters and digits, in six splits, from the one archive of idx files in which NIST publishes it."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from batchlab import idx
from batchlab.datasets.base import Arrays, DatasetKind, Info
from batchlab.datasets.mnist import pixels
from batchlab.downloads import download
from batchlab.errors import DataError

ARCHIVE, ARCHIVE_MD5 = "gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e"
MIRRORS = ("https://biometrics.nist.gov/cs_links/EMNIST/",)
FOLDERS = ("emnist", "EMNIST/raw")
PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "test-images-idx3-ubyte", "test-labels-idx1-ubyte")
Bytes = NDArray[np.uint8]
Splits = Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"]
FACTS: Mapping[Splits, Info] = {
    "byclass": Info(697932, 116323, (1, 28, 28), 62),
    "bymerge": Info(697932, 116323, (1, 28, 28), 47),
    "balanced": Info(112800, 18800, (1, 28, 28), 47),
    "letters": Info(124800, 20800, (1, 28, 28), 26),
    "digits": Info(240000, 40000, (1, 28, 28), 10),
    "mnist": Info(60000, 10000, (1, 28, 28), 10),
}
"""Cohen, Afshar, Tapson & van Schaik 2017, and the archive's own sizes for the letters."""


class Emnist(DatasetKind):
    """Handwritten letters and digits, 28x28 pixels of 0 .. 1 (Cohen et al. 2017); ships a test part."""

    kind: Literal["emnist"] = "emnist"
    facts: ClassVar[Info] = FACTS["balanced"]
    bundled: ClassVar[bool] = False
    split: Splits = "balanced"
    """`byclass` (62 classes), `bymerge` and `balanced` (47: like capitals and small letters are one class), `letters`
    (26: capitals and small letters are one class), `digits`, or `mnist` (60000 digits)."""

    def info(self) -> Info:
        return FACTS[self.split]

    def _paths(self, folder: Path) -> dict[str, Path]:
        """The files of the split that lie unpacked (compressed or not) in the data folder."""
        names = {part: [f"emnist-{self.split}-{part}{end}" for end in (".gz", "")] for part in PARTS}
        places = {part: [folder / sub / name for sub in FOLDERS for name in names[part]] for part in PARTS}
        return {part: path for part, paths in places.items() for path in [p for p in paths if p.is_file()][:1]}

    def available(self, folder: Path) -> bool:
        return _archive(folder) is not None or len(self._paths(folder)) == len(PARTS)

    def fetch(self, folder: Path, mirrors: Sequence[str] = ()) -> None:
        if not self.available(folder):
            download(folder / FOLDERS[0], ARCHIVE, ARCHIVE_MD5, mirrors or MIRRORS)

    def load(self, folder: Path) -> Arrays:
        archive, paths = _archive(folder), self._paths(folder)
        if len(paths) == len(PARTS):
            packed = {part: (path, path.read_bytes()) for part, path in paths.items()}
        elif archive is not None:
            packed = {part: (archive, data) for part, data in _members(archive, self.split).items()}
        else:
            place = folder / FOLDERS[0]
            raise DataError(f"emnist is not in {folder}: run `batchlab data fetch emnist`, or put {ARCHIVE} in {place}")
        x, y, x_test, y_test = (idx.parse(_unpacked(*packed[part])) for part in PARTS)
        return self._arrays(x, y, x_test, y_test)

    def _arrays(self, x: Bytes, y: Bytes, x_test: Bytes, y_test: Bytes) -> Arrays:
        first = 1 if self.split == "letters" else 0  # the letters are numbered from 1
        info = self.info()
        classes = [labels.astype(np.int64) - first for labels in (y, y_test)]
        sizes = (len(x), len(y), len(x_test), len(y_test))
        good = sizes == (info.rows, info.rows, info.test_rows, info.test_rows) and x.shape[1:] == info.shape[1:]
        if not good or not all(0 <= labels.min() <= labels.max() < info.outputs for labels in classes):
            raise DataError(f"these are not the published files of emnist's split {self.split}: fetch it again")
        return Arrays(upright(x), classes[0], upright(x_test), classes[1])


def upright(images: Bytes) -> NDArray[np.float32]:
    """The files hold each picture mirrored at its diagonal: float32 (n, 1, 28, 28), as one reads it."""
    return pixels(images.transpose(0, 2, 1))


def _archive(folder: Path) -> Path | None:
    return next((path for sub in FOLDERS for path in [folder / sub / ARCHIVE] if path.is_file()), None)


def _members(archive: Path, split: str) -> dict[str, bytes]:
    """The compressed idx files of a split in the published archive."""
    with archive.open("rb") as file:
        if hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != ARCHIVE_MD5:
            raise DataError(f"{archive} is not the published file: remove it and fetch it again")
    with zipfile.ZipFile(archive) as packed:
        return {part: packed.read(f"gzip/emnist-{split}-{part}.gz") for part in PARTS}


def _unpacked(path: Path, data: bytes) -> bytes:
    return idx.unpack(path, data) if data[:2] == b"\x1f\x8b" else data
