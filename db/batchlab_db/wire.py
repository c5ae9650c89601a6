"""PostgreSQL's binary format for `real[]` and for COPY, to and from numpy, bit for bit (NaN payloads too).

It goes past SQLAlchemy to psycopg, but raises what SQLAlchemy would.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

REAL, REAL_ARRAY = 700, 1021
"""Type numbers of the server's catalogue: they never change."""
COPY_START = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_END = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)
_ELEMENT = np.dtype([("size", ">i4"), ("bits", ">u4")])
_HEAD = struct.Struct(">iiiiii")
"""Bytes of the field; dimensions, whether it holds nulls, type of the elements; length, first subscript."""


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection beneath, inside the same transaction (which is begun where there is none)."""
    if not connection.in_transaction():
        connection.begin()
    found = connection.connection.driver_connection
    if not isinstance(found, psycopg.Connection):
        raise TypeError(f"series need psycopg, not {type(found).__name__}")
    return found


@contextmanager
def cursor(connection: Connection) -> Iterator[psycopg.Cursor[Any]]:
    """A cursor whose `real[]` come as float32 arrays. Raises SQLAlchemy's errors."""
    with _translated(connection), driver(connection).cursor(binary=True) as made:
        made.adapters.register_loader(REAL_ARRAY, RealArrayLoader)
        yield made


@contextmanager
def copy(connection: Connection, statement: str) -> Iterator[psycopg.Copy]:
    """The stream of `COPY ... FROM STDIN (FORMAT BINARY)`, its rows to be written. Raises SQLAlchemy's errors."""
    with _translated(connection), driver(connection).cursor() as made, made.copy(statement) as stream:
        stream.write(COPY_START)
        yield stream
        stream.write(COPY_END)


@contextmanager
def _translated(connection: Connection) -> Iterator[None]:
    """Have psycopg's errors raised as SQLAlchemy's, which all that retries a transaction looks for."""
    try:
        yield
    except psycopg.Error as error:
        lost = _is_cut(connection)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, connection_invalidated=lost, dialect=connection.dialect
        ) from error


def _is_cut(connection: Connection) -> bool:
    """Whether the server is no longer at the other end."""
    return connection.invalidated or driver(connection).closed


class RealArrayLoader(Loader):
    """`real[]` of one dimension, none of it null, as a float32 array."""

    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[np.float32]:
        elements = np.frombuffer(bytes(data), dtype=_ELEMENT, offset=_HEAD.size - 4)
        return elements["bits"].astype(np.uint32).view(np.float32)


def held(data: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """What a block holds. LookupError where it names another one for that, and that one is not there."""
    if data is None:
        raise LookupError("a stretch of a series is without its values: has its experiment been deleted meanwhile?")
    return data


def real_arrays(values: NDArray[np.float32]) -> list[bytes]:
    """Each row of values (m, k), k > 0, as a field of a COPY row."""
    wide = np.empty(values.shape, dtype=_ELEMENT)
    wide["size"] = 4
    wide["bits"] = np.ascontiguousarray(values).view(np.uint32)
    length = values.shape[1]
    head = _HEAD.pack(20 + 8 * length, 1, 0, REAL, length, 1)
    return [head + row.tobytes() for row in wide]


def text_field(value: str) -> bytes:
    """A text as a field of a COPY row."""
    raw = value.encode()
    return struct.pack(">i", len(raw)) + raw


def bigint_field(value: int) -> bytes:
    """A bigint as a field of a COPY row."""
    return struct.pack(">iq", 8, value)


def copy_row(fields: Sequence[bytes]) -> bytes:
    """A row of a COPY."""
    return struct.pack(">h", len(fields)) + b"".join(fields)
