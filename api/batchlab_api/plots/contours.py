"""Contour lines of a loss over two parameters, where it is known as a formula: on surfaces, and for straight lines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from batchlab.cell import Cell
from batchlab.datasets import split
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Loss = Callable[[Floats, Floats], Floats]
GRID = 44
"""Squares along each side of the grid on which the loss is taken."""
MADE = frozenset({"inline", "linear_regression", "curve"})
"""Data sets that are computed from their spec by numpy alone."""
LEVELS = 11
"""Contour lines. Each two of them hold as much of the picture between them."""


@dataclass(frozen=True)
class Window:
    """A rectangle of the plane of two parameters."""

    low: tuple[float, float]
    high: tuple[float, float]

    @classmethod
    def around(cls, points: Floats, air: float = 0.15) -> "Window":
        """What holds all the points (n, 2), with air beside them; never without extent."""
        low, high = points.min(0), points.max(0)
        span = np.maximum(high - low, max(float((high - low).max()) / 4, 1e-3))
        middle = (low + high) / 2
        first, last = middle - (0.5 + air) * span, middle + (0.5 + air) * span
        return cls((float(first[0]), float(first[1])), (float(last[0]), float(last[1])))


def loss_of(cell: Cell) -> Loss | None:
    """The loss of all training rows at (first, second) parameter, where it is known without a network."""
    if cell.model.kind == "surface":
        return lambda x, y: np.asarray(cell.model.surface.value(x, y))
    rows = cell.dataset
    line = cell.model.kind == "linear" and cell.model.bias and cell.info.shape == (1,)
    if not line or cell.loss != "half_squared_error" or rows.kind not in MADE:
        return None
    x, y = split(rows, rows.load(Path()), cell.seed_of_split).train
    return _line_loss(x[:, 0].astype(np.float64), y.astype(np.float64))


def _line_loss(x: Floats, y: Floats) -> Loss:
    """Half the mean squared error of `w x + b`, as a polynomial of w and b."""
    xx, xy, yy, mx, my = (float(np.mean(v)) for v in (x * x, x * y, y * y, x, y))
    return lambda w, b: (xx * w**2 + b**2 + yy) / 2 + mx * w * b - xy * w - my * b


def contours(loss: Loss, window: Window) -> list[Floats]:
    """Contour lines, each as its points (n, 2)."""
    sides = [np.linspace(low, high, GRID + 1) for low, high in zip(window.low, window.high, strict=True)]
    x, y = np.meshgrid(*sides)
    with np.errstate(all="ignore"):
        values = loss(x, y)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return []
    found = triangles(np.stack([x, y, values], axis=-1))
    levels = np.unique(np.quantile(finite, (np.arange(LEVELS) + 0.5) / LEVELS))
    return [line for level in levels for line in chained(crossings(found, level))]


def triangles(corners: Floats) -> Floats:
    """Two triangles for each square of a grid (rows, columns, 3): shape (triangles, 3 corners, 3)."""
    a, b, c, d = corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1], corners[1:, 1:]
    halves = [np.stack(three, axis=2).reshape(-1, 3, 3) for three in ((a, b, c), (d, c, b))]
    return np.concatenate(halves)


def crossings(found: Floats, level: float) -> Floats:
    """Where the planes over the triangles (x, y, value at each corner) cross a level: pieces (x, y, x2, y2)."""
    above = found[:, :, 2] > level
    crossed = found[(above.any(1)) & (~above.all(1)) & np.isfinite(found).all((1, 2))]
    above = crossed[:, :, 2] > level
    # One corner lies alone on its side of the level; the piece joins the two edges that meet there.
    alone = np.where(above.sum(1) == 1, above.argmax(1), (~above).argmax(1))
    rows = np.arange(len(crossed))
    tip = crossed[rows, alone]
    ends = [_between(tip, crossed[rows, (alone + i) % 3], level) for i in (1, 2)]
    return np.concatenate(ends, axis=1)


def _between(one: Floats, other: Floats, level: float) -> Floats:
    share = (level - one[:, 2:]) / (other[:, 2:] - one[:, 2:])
    return np.asarray(one[:, :2] + share * (other[:, :2] - one[:, :2]))


def chained(pieces: Floats) -> list[Floats]:
    """Pieces (x, y, x2, y2) joined at common ends to lines, each as every second of its points (n, 2), and its last.

    Closed lines end as they begin.
    """
    if not len(pieces):
        return []
    scale = np.ptp(pieces.reshape(-1, 2), axis=0).clip(1e-12)
    near = np.round(pieces.reshape(-1, 2, 2) / scale, 7)
    long = (near[:, 0] != near[:, 1]).any(1)  # a level that meets a corner of a triangle leaves mere points there
    pieces, near = pieces[long], near[long]
    ends = [tuple(map(tuple, piece)) for piece in near.tolist()]
    at: dict[Any, list[int]] = {}
    for i, (one, other) in enumerate(ends):
        at.setdefault(one, []).append(i)
        at.setdefault(other, []).append(i)
    points = dict(zip((end for pair in ends for end in pair), pieces.reshape(-1, 2), strict=True))
    free = set(range(len(ends)))
    # Lines that end at the edge are begun there; what is left is closed and may begin anywhere.
    starts = [(end, i) for end, touching in at.items() if len(touching) == 1 for i in touching]
    starts += [(pair[0], i) for i, pair in enumerate(ends)]
    lines = [_follow(first, at, ends, free) for first, i in starts if i in free]
    # Every second point lies on the diagonal of a square of the grid, and is hardly missed.
    return [np.array([points[end] for end in (*line[:-1:2], line[-1])]) for line in lines]


def _follow(end: Any, at: dict[Any, list[int]], ends: list[Any], free: set[int]) -> list[Any]:
    """The ends that are met from one on, until no free piece begins there; takes the pieces out of `free`."""
    line = [end]
    while (piece := next((i for i in at[line[-1]] if i in free), None)) is not None:
        free.discard(piece)
        one, other = ends[piece]
        line.append(other if one == line[-1] else one)
    return line


def key_of(cell: Cell) -> Any:
    """What the loss of a cell's training rows depends on."""
    return cell.model.surface if cell.model.kind == "surface" else (cell.model, cell.dataset)
