"""Tables to take away: cells and their results as CSV or Parquet, raw series as a stream of either."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from batchlab_client import models

Row = Mapping[str, Any]
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv; charset=utf-8"
_PLAIN = (
    "id", "ordinal", "variant", "batch_size", "lr", "momentum", "seed", "status", "cause", "message", "engine",
    "shared_with", "steps_done", "steps_total",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def flat(cells: Sequence[models.Cell]) -> list[dict[str, Any]]:
    """A row for each cell with its point, status and results: the same columns in every row."""
    params = list(dict.fromkeys(name for cell in cells for name in cell.params))
    results = list(dict.fromkeys(name for cell in cells for name in cell.result or {}))
    analysed = [
        {f"{kind}.{name}": v for kind, values in c.analyses.items() for name, v in values.items()} for c in cells
    ]
    found = list(dict.fromkeys(name for values in analysed for name in values))
    return [
        {name: getattr(cell, name) for name in _PLAIN}
        | {name: cell.params.get(name) for name in params}
        | {name: (cell.result or {}).get(name) for name in results}
        | {name: values.get(name) for name in found}
        for cell, values in zip(cells, analysed, strict=True)
    ]


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """CSV (RFC 4180), a chunk for the head and one for each row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    yield _line(writer, buffer, columns)
    for row in rows:
        yield _line(writer, buffer, [_harmless(value) for value in row])


def _line(writer: Any, buffer: io.StringIO, values: Sequence[Any]) -> str:
    writer.writerow(values)
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, made plain."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def parquet(rows: Sequence[Row]) -> bytes:
    """The rows as one Parquet file. Needs pyarrow, which is imported here alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), sink)
    return bytes(sink.getvalue())


def parquet_of(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """The columns as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), sink)
    return bytes(sink.getvalue())


class ParquetStream:
    """A Parquet file written piece by piece: `add` and `end` return the bytes that are ready to be sent.

    `columns` maps each column to its pyarrow type by name ("int64", "float32", "string", ..).
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa, self._schema = pa, pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema)

    def add(self, columns: Mapping[str, Any]) -> bytes:
        """One row group: an array (or a list) for each column."""
        self._writer.write_table(self._pa.table(dict(columns), schema=self._schema))
        return self._sink.take()

    def end(self) -> bytes:
        """The foot of the file."""
        self._writer.close()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """Takes what is written and gives it away; knows how much there was."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
