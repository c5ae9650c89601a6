"""Writing series: blocks of measurements become immutable rows, by binary COPY within the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from batchlab.engines.base import CellBlock
from numpy.typing import NDArray
from sqlalchemy import Connection

from batchlab_db import wire
from batchlab_db.pyramid import LEVELS, Float32s, Steps, levels

MAX_VALUES = 16_384
"""Values of one row: what a reader reads raw at either end of a range is bounded by it."""
BATCH_VALUES = 1 << 20
"""Values encoded at a time: bounds the memory of a large cohort's block."""
FEW_BITS = 8
"""Values by which series are looked at before all are compared."""
COPY = (
    "COPY series_blocks (cell_id, metric, first, last, n, stride, same_as, data, "
    + ", ".join(f"l{level}" for level in range(1, LEVELS + 1))
    + ") FROM STDIN (FORMAT BINARY)"
)


class Grid(NamedTuple):
    """The steps `first, first + stride, ..`, n of them."""

    first: int
    n: int
    stride: int

    @property
    def last(self) -> int:
        return self.first + self.stride * (self.n - 1)

    @property
    def steps(self) -> Steps:
        return self.first + self.stride * np.arange(self.n, dtype=np.int64)


class Series(NamedTuple):
    """Values (n,) of one metric of one cell on some grid."""

    cell_id: int
    metric: str
    values: Float32s


def write(connection: Connection, rows: Iterable[tuple[int, CellBlock]]) -> None:
    """Store the measurements of `(cell id, block)` pairs. All of it or nothing: it belongs to the open transaction.

    Raises IntegrityError where a block begins at a stored one's first step or a cell is not there, and
    ValueError where a metric has not as many values as the block has steps.
    """
    grids = _by_grid(rows)
    if not grids:
        return
    with wire.copy(connection, COPY) as copy:
        for grid, series in grids.items():
            for batch in _batches(grid, series):
                copy.write(_encoded(grid, batch))


def _by_grid(rows: Iterable[tuple[int, CellBlock]]) -> dict[Grid, list[Series]]:
    """Series that share their steps, together: their pyramids are made in one go."""
    found: dict[Grid, list[Series]] = defaultdict(list)
    for cell_id, block in rows:
        for steps, measured in ((_updates(block), block.updates), (block.evaluated_at, block.evaluations)):
            for grid, series in _pieces(cell_id, steps, measured):
                found[grid].append(series)
    return found


def _updates(block: CellBlock) -> Steps:
    n = len(next(iter(block.updates.values()), ()))
    return np.arange(block.first, block.first + n, dtype=np.int64)


def _pieces(cell_id: int, steps: Steps, measured: Mapping[str, Float32s]) -> Iterator[tuple[Grid, Series]]:
    grids = grids_of(steps)
    for metric, given in measured.items():
        values = np.asarray(given, dtype=np.float32)
        if values.shape != steps.shape:
            raise ValueError(f"{metric} of cell {cell_id}: values of shape {values.shape} for {len(steps)} steps")
        start = 0
        for grid in grids:
            yield grid, Series(cell_id, metric, values[start : start + grid.n])
            start += grid.n


def grids_of(steps: Steps) -> list[Grid]:
    """Ascending steps, cut where their distance changes and after every `MAX_VALUES`."""
    gaps = np.diff(steps)
    if (gaps <= 0).any():
        raise ValueError("the steps of a block must ascend")
    found, start = [], 0
    while start < len(steps):
        near = gaps[start : start + MAX_VALUES - 1]
        stride = int(near[0]) if len(near) else 1
        odd = np.flatnonzero(near != stride)
        n = 1 + (int(odd[0]) if len(odd) else len(near))
        found.append(Grid(int(steps[start]), n, stride))
        start += n
    return found


def _batches(grid: Grid, series: Sequence[Series]) -> Iterator[Sequence[Series]]:
    size = max(1, BATCH_VALUES // grid.n)
    return (series[start : start + size] for start in range(0, len(series), size))


def _encoded(grid: Grid, series: Sequence[Series]) -> bytes:
    """COPY rows of series on one grid."""
    values = np.stack([one.values for one in series])
    bits = values.view(np.uint32)
    constant = (bits == bits[:, :1]).all(axis=1)
    equal = _equal(series, bits, np.flatnonzero(~constant))
    varied = [i for i in np.flatnonzero(~constant).tolist() if i not in equal]
    single, nothing = wire.real_arrays(values[:, :1]), [wire.NULL] * LEVELS
    fields = {i: [wire.NULL, *arrays] for i, arrays in zip(varied, _varied(grid, values[varied]), strict=True)}
    fields |= {i: [wire.text_field(series[other].metric), wire.NULL, *nothing] for i, other in equal.items()}
    numbers = [wire.bigint_field(value) for value in (grid.first, grid.last, grid.n, grid.stride)]
    return b"".join(
        wire.copy_row(
            [
                wire.bigint_field(one.cell_id),
                wire.text_field(one.metric),
                *numbers,
                *fields.get(i, [wire.NULL, single[i], *nothing]),
            ]
        )
        for i, one in enumerate(series)
    )


def _equal(series: Sequence[Series], bits: NDArray[np.uint32], varied: NDArray[np.intp]) -> dict[int, int]:
    """Which of these series has the bits of one before it that belongs to the same cell: place -> place of that one."""
    found: dict[int, int] = {}
    alike: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    few = bits[:, :: max(1, bits.shape[1] // FEW_BITS)]
    for i in varied.tolist():
        others = alike[series[i].cell_id, few[i].tobytes()]
        same = next((other for other in others if np.array_equal(bits[i], bits[other])), None)
        if same is None:
            others.append(i)
        else:
            found[i] = same
    return found


def _varied(grid: Grid, values: Float32s) -> list[list[bytes]]:
    """For each row of values (m, n): the fields `data, l1 .. l7`."""
    if not len(values):
        return []
    nothing = [wire.NULL] * len(values)
    kept = {
        level: wire.real_arrays(packed.reshape(len(values), -1)) for level, packed in levels(grid.steps, values).items()
    }
    columns = [wire.real_arrays(values), *(kept.get(level, nothing) for level in range(1, LEVELS + 1))]
    return [list(row) for row in zip(*columns, strict=True)]
