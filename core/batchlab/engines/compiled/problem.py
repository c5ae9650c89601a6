"""A cell made ready for the compiled loops: its rows, its parameters as one vector, and which of the loops it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from batchlab.cell import Cell
from batchlab.datasets import Arrays, Part, Split, split
from batchlab.engines import batches
from batchlab.engines.base import Float32s
from batchlab.engines.compiled import dense, layer
from batchlab.engines.compiled.loop import Loop, empty
from batchlab.engines.compiled.maths import SGEMM
from batchlab.engines.compiled.support import small
from batchlab.init import network
from batchlab.models import Mlp

ORDERS_BYTES = 2**26
"""Orders that are kept for the next cell of the same seed."""
ACTIVATIONS = {"relu": None, "tanh": dense.TANH, "sigmoid": dense.SIGMOID}


class Layer(Loop):
    """One small linear layer: loops along the rows."""

    _loop = staticmethod(layer.loop)

    def __init__(self, cell: Cell) -> None:
        inputs, outputs = prod(cell.info.shape), cell.info.outputs
        bias = bool(getattr(cell.model, "bias", True))
        g = empty(outputs * (inputs + 1))
        z, top, sums = empty(outputs, layer.ROWS), empty(layer.ROWS), empty(layer.ROWS)
        self.net = (inputs, outputs, bias, z, top, sums, g, empty(inputs, cell.rows), empty(outputs, cell.rows))
        """Inputs, outputs, whether there is a bias, and room for outputs, largest outputs, sums, gradient, an epoch."""

    def train(self, part: Part, cell: Cell) -> tuple[Any, ...]:
        """Rows to be trained on: inputs (D, N), targets (K, N), N, and where each class begins, of which none is told:
        (1,), 0."""
        x, y = part
        nowhere = np.zeros(1, np.int64)
        return np.ascontiguousarray(_flat(x).T), np.ascontiguousarray(_targets(y, cell).T), len(x), nowhere, 0

    def table(self, part: Part, cell: Cell) -> tuple[Any, ...]:
        """Rows to be evaluated, as those to be trained on; of classes one after the other, with where each begins."""
        x, y = part
        if cell.info.classes is None:
            return self.train(part, cell)
        by_class = np.argsort(y, kind="stable")
        starts = np.searchsorted(y[by_class], np.arange(cell.info.classes + 1))
        return *self.train((x[by_class], y[by_class]), cell)[:3], starts, cell.info.classes


class Dense(Loop):
    """Fully connected layers: products by BLAS."""

    _loop = staticmethod(dense.loop)

    def __init__(self, cell: Cell) -> None:
        widths: Sequence[int] = getattr(cell.model, "widths", ())
        sizes = np.array([prod(cell.info.shape), *widths, cell.info.outputs], np.int64)
        rows = max(cell.batch_size, dense.ROWS)
        places = np.concatenate([[0], np.cumsum([0, *(rows * sizes[1:])])]).astype(np.int64)
        taken = 0 if cell.batch_size == cell.rows else cell.batch_size
        compared = 0 if cell.loss == "cross_entropy" else taken
        room = empty(taken, sizes[0]), empty(compared, sizes[-1]), np.zeros(taken, np.int64)
        parameters = int(((sizes[:-1] + 1) * sizes[1:]).sum())
        self.net = (
            len(sizes) - 1, sizes, places, empty(places[-1]), empty(places[-1]), empty(parameters),
            np.zeros(sizes.max()), unpacked(), SGEMM, *room,
        )  # fmt: skip
        """Layers, their sizes, where each one's outputs stand, and room for these, for the gradient of a layer's
        inputs, for that of the parameters and of a layer's biases, how large products without packing are, BLAS'
        product, and room for the rows of a batch."""
        self.more = (ACTIVATIONS[getattr(cell.model, "activation", "relu")],)

    def train(self, part: Part, cell: Cell) -> tuple[Any, ...]:
        """Inputs (N, D), what half squared errors compare with (N, K), classes (N,), N, whether there are classes: what
        is not needed is empty."""
        x, y = part
        classes = cell.info.classes is not None
        labels = np.ascontiguousarray(y, np.int64) if classes else np.zeros(0, np.int64)
        none = np.zeros((0, cell.info.outputs), np.float32)
        targets = none if cell.loss == "cross_entropy" else _targets(y, cell)
        return np.ascontiguousarray(_flat(x)), targets, labels, len(x), classes

    table = train


@cache
def unpacked() -> int:
    """Multiplications up to which this processor's OpenBLAS takes matrices as they lie: 100^3 in its AVX-512 kernels
    (`gemm_small_matrix_permit`), none elsewhere."""
    known = {lib.get("architecture") for lib in threadpool_info() if lib["internal_api"] == "openblas"}
    return 1_000_000 if known & {"SkylakeX", "Cooperlake", "SapphireRapids"} else 0


def _flat(x: NDArray[Any]) -> Float32s:
    return x.reshape(len(x), -1).astype(np.float32, copy=False)


def _targets(y: NDArray[Any], cell: Cell) -> Float32s:
    """What outputs are compared with: the number, or one at the class: (N, K)."""
    if cell.info.classes is None:
        return np.ascontiguousarray(y.reshape(-1, 1), np.float32)
    at_class: Float32s = np.eye(cell.info.classes, dtype=np.float32)[y]
    return at_class


@dataclass(frozen=True)
class Rows:
    """The parts of a data set as a loop takes them."""

    train: tuple[Any, ...]
    tables: tuple[tuple[Any, ...], tuple[Any, ...]]
    """Training and validation rows, to be evaluated."""
    test: tuple[Any, ...] | None


class Shelf:
    """Rows and orders that several cells of a cohort need, made once."""

    def __init__(self, data: Arrays) -> None:
        self._data = data
        self._rows: tuple[Any, Rows] | None = None
        self._orders: dict[tuple[int, str, int], NDArray[np.int64]] = {}
        self._known: dict[Any, Sequence[tuple[float, float]]] = {}

    def rows(self, cell: Cell, loop: "Layer | Dense") -> Rows:
        """The cell's rows: those of the last cell where nothing of it differs."""
        seed = cell.seed_of_split
        key = (cell.dataset, seed if cell.dataset.held_out else None, cell.loss, type(loop))
        if self._rows is None or self._rows[0] != key:
            self._rows = key, _rows(split(cell.dataset, self._data, seed), cell, loop)
        return self._rows[1]

    def evaluated(
        self, w: Float32s, evaluate: Callable[[tuple[Any, ...]], tuple[float, float]]
    ) -> Sequence[tuple[float, float]]:
        """What `evaluate` makes of the tables of the last `rows` under first weights `w`, with which several cells may
        begin: done once for each."""
        assert self._rows is not None
        key = self._rows[0], sha256(w.tobytes()).digest()
        if key not in self._known:
            self._known[key] = [evaluate(table) for table in self._rows[1].tables]
        return self._known[key]

    def orders(self, cell: Cell, first: int, last: int) -> NDArray[np.int64]:
        """The orders of the epochs first .. last: (epochs, N); (epochs, 0) where the batch is the whole."""
        epochs = range(first, last + 1)
        if cell.batch_size == cell.rows:
            return np.zeros((len(epochs), 0), np.int64)
        return np.stack([self._order(cell, epoch if cell.shuffle == "epoch" else 0) for epoch in epochs])

    def _order(self, cell: Cell, epoch: int) -> NDArray[np.int64]:
        key = (cell.seed, cell.shuffle, epoch)
        if key not in self._orders:
            if (len(self._orders) + 1) * 8 * cell.rows > ORDERS_BYTES:
                self._orders.clear()
            self._orders[key] = batches.order(cell, epoch)
        return self._orders[key]


def _rows(parts: Split, cell: Cell, loop: "Layer | Dense") -> Rows:
    tables = loop.table(parts.train, cell), loop.table(parts.validation, cell)
    test = None if parts.test is None else loop.table(parts.test, cell)
    return Rows(loop.train(parts.train, cell), tables, test)


def loop_for(cell: Cell) -> "Layer | Dense":
    """The loop that is the faster one for the cell's model."""
    return Layer(cell) if small(cell) else Dense(cell)


def initial(cell: Cell) -> Float32s:
    """The parameters of the reference's network at its start, one after the other as it names them."""
    net = network(cell.model, cell.info.shape, cell.info.outputs, cell.init, cell.seed)
    parts = [p.detach().numpy().ravel() for p in net.parameters()]
    if isinstance(cell.model, Mlp) or getattr(cell.model, "bias", True):
        return np.concatenate(parts)
    return np.concatenate([*parts, np.zeros(cell.info.outputs, np.float32)])  # the loops keep a place for biases
