"""Cursors of lists: where a page ended, as text for the client to hand back.

A cursor holds nothing secret and grants nothing, so it is not signed. A checksum over it and over the list's mark
(which list, with which filters) tells what this server made for this list from everything else.
"""

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from batchlab_db.errors import BadCursor

MAX_LENGTH = 500
Part = int | str


def encode(mark: Sequence[object], position: Sequence[Part]) -> str:
    """The cursor of the list described by `mark` after the row at `position`."""
    body = json.dumps(list(position), separators=(",", ":")).encode()
    return urlsafe_b64encode(_check(mark, body) + body).rstrip(b"=").decode()


def decode(mark: Sequence[object], text: str, *kinds: type) -> tuple[Part, ...]:
    """The position, with parts of these kinds; raises BadCursor for what `encode` did not make for this list."""
    try:
        raw = urlsafe_b64decode(text[: MAX_LENGTH + 1] + "=" * (-len(text) % 4))
        position = json.loads(raw[4:])
    except (ValueError, RecursionError) as error:
        raise BadCursor from error
    known = len(text) <= MAX_LENGTH and raw[:4] == _check(mark, raw[4:])
    if not (known and isinstance(position, list) and [type(part) for part in position] == list(kinds)):
        raise BadCursor
    return tuple(position)


def _check(mark: Sequence[object], body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(json.dumps(list(mark)).encode())).to_bytes(4, "big")
