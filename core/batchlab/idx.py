"""The idx files in which MNIST and its relatives are published: finding, checking, reading and downloading them."""

import gzip
import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from batchlab.downloads import download
from batchlab.errors import DataError

TRAIN_X, TRAIN_Y = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_X, TEST_Y = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
PARTS = (TRAIN_X, TRAIN_Y, TEST_X, TEST_Y)
UNSIGNED_BYTE = 8


@dataclass(frozen=True)
class Source:
    """Where four idx files come from and how they are recognised (MD5, as they are published)."""

    folders: tuple[str, ...]
    """Where to look below the data folder; downloads go to the first."""
    mirrors: tuple[str, ...]
    """Addresses of the folder that holds the .gz files, best first."""
    packed: Mapping[str, str]
    """MD5 of each part's .gz file."""
    unpacked: Mapping[str, str]
    """MD5 of each part's decompressed file, where it is published."""


def find(folder: Path, source: Source) -> dict[str, Path]:
    """The files of the parts that are there, compressed or not."""
    names = {part: [folder / sub / (part + end) for sub in source.folders for end in (".gz", "")] for part in PARTS}
    return {part: path for part, paths in names.items() for path in [p for p in paths if p.is_file()][:1]}


def read(path: Path, part: str, source: Source) -> NDArray[np.uint8]:
    """The array in an idx file whose checksum is right; DataError otherwise."""
    raw = path.read_bytes()
    data = unpack(path, raw) if path.suffix == ".gz" else raw
    if source.packed[part] != _md5(raw) and source.unpacked.get(part) != _md5(data):
        raise DataError(f"{path} is not the published file (MD5 {_md5(raw)}): remove it and fetch it again")
    return parse(data)


def parse(data: bytes) -> NDArray[np.uint8]:
    """The array of an idx file of unsigned bytes (big-endian sizes after a magic number); DataError otherwise."""
    if len(data) < 4 or data[:3] != bytes((0, 0, UNSIGNED_BYTE)):
        raise DataError("not an idx file of unsigned bytes: its first bytes must be 0, 0, 8")
    start = 4 + 4 * data[3]
    shape = struct.unpack(f">{data[3]}I", data[4:start]) if len(data) >= start else ()
    if not shape or len(data) != start + prod(shape):
        raise DataError(f"a damaged idx file: {len(data)} bytes for an array of shape {shape}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def fetch(folder: Path, source: Source, mirrors: Sequence[str] = ()) -> None:
    """Download the parts that are missing, checked by their MD5; DataError when no mirror gives them."""
    there = find(folder, source)
    for part in PARTS:
        if part not in there:
            download(folder / source.folders[0], part + ".gz", source.packed[part], mirrors or source.mirrors)


def unpack(path: Path, raw: bytes) -> bytes:
    """What the gzip file `path` holds, whose bytes are `raw`; DataError where it is damaged."""
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} is damaged ({error}): remove it and fetch it again") from error


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


MNIST = Source(
    folders=("mnist", "MNIST/raw"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    packed={
        TRAIN_X: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        TRAIN_Y: "d53e105ee54ea40749a09fcbcd1e9432",
        TEST_X: "9fb629c4189551a2d022fa330f9573f3",
        TEST_Y: "ec29112dd5afa0611ce80d1b7f02629c",
    },
    unpacked={
        TRAIN_X: "6bbc9ace898e44ae57da46a324031adb",
        TRAIN_Y: "a25bea736e30d166cdddb491f175f624",
        TEST_X: "2646ac647ad5339dbf082846283269ea",
        TEST_Y: "27ae3e4e09519cfbb04c329615203637",
    },
)
FASHION_MNIST = Source(
    folders=("fashion_mnist", "FashionMNIST/raw"),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    packed={
        TRAIN_X: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        TRAIN_Y: "25c81989df183df01b3e8a0aad5dffbe",
        TEST_X: "bef4ecab320f06d8554ea6380940ec79",
        TEST_Y: "bb300cfdad3c16e7a12a480ee83cd310",
    },
    unpacked={},
)
KMNIST = Source(
    folders=("kmnist", "KMNIST/raw"),
    mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    packed={
        TRAIN_X: "bdb82020997e1d708af4cf47b453dcf7",
        TRAIN_Y: "e144d726b3acfaa3e44228e80efcd344",
        TEST_X: "5c965bf0a639b31b8f53240b1b52f4d7",
        TEST_Y: "7320c461ea6c1c855c0b718fb2a4b134",
    },
    unpacked={},
)
