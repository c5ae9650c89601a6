"""Reading a csv file, line by line: a header of names, then numbers."""

import csv
from array import array
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from batchlab.errors import DataError
from batchlab.uploads.base import Limits, Raw

LABEL = "label"


def read(file: BinaryIO, limits: Limits, label: str | None) -> Raw:
    """Features and labels of a csv file in UTF-8 whose first line names the columns; DataError otherwise."""
    rows = _rows(file, limits)
    names = next(rows, (0, []))[1]
    at = _label_column(names, label, limits)
    features, labels = array("f"), array("d")
    whole = True
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"line {line} has {len(row)} columns, and the first has {len(names)}")
        numbers = _numbers(line, row, names)
        features.extend(numbers[:at] + numbers[at + 1 :])
        labels.append(numbers[at])
        whole = whole and _is_whole(row[at])
        if len(features) * features.itemsize > limits.bytes:
            raise DataError(f"line {line}: the data pass the limit of {limits.bytes} bytes (BATCHLAB_MAX_DATA_BYTES)")
    x = np.frombuffer(features, np.float32).reshape(len(labels), len(names) - 1)
    y = np.frombuffer(labels, np.float64)
    return Raw(x, y.astype(np.int64) if whole and (np.abs(y) < 2**53).all() else y)


def _rows(file: BinaryIO, limits: Limits) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line that is not empty."""
    line = 0
    while raw := file.readline(limits.line_bytes + 1):
        line += 1
        if len(raw) > limits.line_bytes:
            raise DataError(f"line {line} is longer than {limits.line_bytes} bytes: is this a csv file?")
        try:
            text = raw.decode("utf-8-sig" if line == 1 else "utf-8").strip()
            if text:
                yield line, next(csv.reader([text], strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"line {line} is no csv in UTF-8 ({error})") from error


def _label_column(names: Sequence[str], label: str | None, limits: Limits) -> int:
    """Where the labels stand."""
    known = [name.strip() for name in names]
    if len(known) > limits.columns + 1:
        raise DataError(f"{len(known)} columns, over the limit of {limits.columns}")
    if len(known) < 2 or len(set(known)) < len(known):
        raise DataError("the first line must name the columns, each by another name: at least a feature and the label")
    wanted = LABEL if label is None else label.strip()
    if wanted not in known:
        few = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        raise DataError(f"no column is called {wanted!r}: say by `label` which one holds the labels, of {few}")
    return known.index(wanted)


def _numbers(line: int, row: Sequence[str], names: Sequence[str]) -> list[float]:
    try:
        return list(map(float, row))
    except ValueError:
        pass
    for name, text in zip(names, row, strict=True):
        try:
            float(text)
        except ValueError as error:
            hint = "a class is given by its number, from 0"
            raise DataError(f"line {line}, column {name.strip()!r}: {text[:50]!r} is no number ({hint})") from error
    raise AssertionError("one of them is no number")


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdecimal()
