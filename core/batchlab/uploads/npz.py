"""Reading an npz file: the directory and every array's header are checked before a byte is inflated."""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from batchlab.errors import DataError
from batchlab.uploads.base import Limits, Raw

NAMES = ("x", "y", "x_test", "y_test")
MOST_MEMBERS = 32
MOST_DIRECTORY_BYTES = 1 << 16
MOST_HEADER_BYTES = 4096
MOST_DIMENSIONS = 4
KINDS = "buif"
"""Booleans, whole numbers and floats; anything else is no data, or would have to be unpickled."""
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError)
"""What damaged or strange archives raise."""


def read(file: BinaryIO, limits: Limits) -> Raw:
    """The arrays x, y (and x_test, y_test) of an npz file; other members are left alone. DataError otherwise."""
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            _check_sizes(members, limits)
            arrays = {name: _array(archive, members[name], name) for name in members}
    except DAMAGED as error:
        raise DataError(f"a damaged npz file ({error}): save it again by numpy.savez") from error
    return Raw(**arrays)


def _check_directory(file: BinaryIO) -> None:
    """Refuse a directory of very many files, which would itself take the memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - (1 << 16)))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise DataError("a damaged npz file (its end is missing): save it again by numpy.savez")
    entries, directory = struct.unpack("<HI", tail[at + 10 : at + 16])
    large = tail[max(0, at - 20) : at].startswith(b"PK\x06\x07")  # sizes of 64 bits stand elsewhere
    if large or entries > MOST_MEMBERS or directory > MOST_DIRECTORY_BYTES:
        raise DataError(f"an archive of more than {MOST_MEMBERS} files: save only x, y, x_test and y_test")
    file.seek(0)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members that count, by array name."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name not in NAMES or member.filename == name:
            continue
        if name in found:
            raise DataError(f"{name} is in the file twice")
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{name} is encrypted, or packed in an unusual way: save it by numpy.savez")
        found[name] = member
    missing = [name for name in ("x", "y") if name not in found]
    if missing or ("x_test" in found) != ("y_test" in found):
        have = ", ".join(found) or "none of them"
        raise DataError(f"needs the arrays x and y, and for a test part both x_test and y_test; it has {have}")
    return found


def _check_sizes(members: Mapping[str, zipfile.ZipInfo], limits: Limits) -> None:
    total = sum(member.file_size for member in members.values())
    if total > limits.bytes:
        raise DataError(f"the arrays have {total} bytes, over the limit of {limits.bytes} (BATCHLAB_MAX_DATA_BYTES)")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    with archive.open(member) as file:
        shape, columns_first, dtype = _header(file, name)
        wanted = prod(shape) * dtype.itemsize
        if file.tell() + wanted != member.file_size:
            raise DataError(f"{name} is damaged: its header tells of {wanted} bytes, and {member.file_size} are there")
        data = file.read(wanted + 1)  # a byte more, so that the checksum at the end is looked at
    if len(data) != wanted:
        raise DataError(f"{name} is damaged: {len(data)} of {wanted} bytes are there")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if columns_first else "C")


def _header(file: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array, refused unless they are those of plain numbers."""
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise DataError(f"{name} is in a version of the format that is not read: save it by numpy.savez")
    try:
        shape, columns_first, dtype = readers[version](file, max_header_size=MOST_HEADER_BYTES)
    except Exception as error:  # numpy evaluates the header as a literal: TypeError, tokenize's errors, any other
        raise DataError(f"{name} is damaged ({error}): save it again by numpy.savez") from error
    if dtype.kind not in KINDS or dtype.itemsize > 8:
        raise DataError(f"{name} holds {dtype} and not plain numbers: save it as integers or floats of at most 8 bytes")
    if len(shape) > MOST_DIMENSIONS or any(length < 0 for length in shape):
        raise DataError(f"{name} has the shape {shape}: at most {MOST_DIMENSIONS} dimensions are taken")
    return shape, columns_first, dtype
