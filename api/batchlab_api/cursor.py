"""How far a stream has told each cell: what an event's id holds, so that `Last-Event-ID` resumes anywhere.

A cursor is text that only this module reads: for each cell the updates told and how often it was rewound by then.
"""

import zlib
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import NamedTuple

_MAX_BYTES = 4_000_000


class Told(NamedTuple):
    """What was told of one cell."""

    steps: int
    rewind: int


Cursor = Mapping[int, Told]


def encode(cursor: Cursor) -> str:
    """The cursor as one line of URL-safe text."""
    numbers, before = [], 0
    for cell, told in sorted(cursor.items()):
        numbers += [cell - before, *told]  # neighbouring ids: small numbers pack well
        before = cell
    packed = zlib.compress(",".join(map(str, numbers)).encode(), 6)
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(text: str) -> dict[int, Told]:
    """What `encode` made; raises ValueError for anything else."""
    try:
        packed = b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        flat = _unpack(packed)
        numbers = [int(number) for number in flat.split(",")] if flat else []
        rows = list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))
    except (ValueError, zlib.error) as error:
        raise ValueError("not an event id of this server") from error
    cursor, cell = {}, 0
    for delta, steps, rewind in rows:
        cell += delta
        cursor[cell] = Told(steps, rewind)
    return cursor


def _unpack(packed: bytes) -> str:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, _MAX_BYTES)
    if not unpacker.eof:
        raise ValueError("cut off, or too long")
    return text.decode()
