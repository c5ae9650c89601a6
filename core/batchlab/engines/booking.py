"""A stretch of a cell as every engine of torch's books it: metrics, totals, evaluations, and how the cell has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batchlab.cell import Cell
from batchlab.engines.base import CellBlock, Float32s
from batchlab.engines.tally import Tally
from batchlab.probes import Need, Shapes


@dataclass(frozen=True)
class Stretch:
    """What was measured at m consecutive updates, and the evaluations made meanwhile: plain numbers."""

    losses: NDArray[np.float64]
    """Shape (m,), before any cast: a loss in float64 may be beyond float32."""
    norms: Mapping[Need, NDArray[np.float64]]
    """A row for each update."""
    laps: NDArray[np.float64]
    """Seconds, shape (m,)."""
    rates: Sequence[float] | NDArray[np.float64]
    momenta: Sequence[float | None] | NDArray[np.float64]
    evaluations: Sequence[tuple[int, Mapping[str, float]]]

    @property
    def bad(self) -> bool:
        """Whether a loss is not finite."""
        return not bool(np.isfinite(self.losses).all())

    def __len__(self) -> int:
        """Its updates, up to the first whose loss is not finite."""
        bad = np.flatnonzero(~np.isfinite(self.losses))
        return int(bad[0]) + 1 if bad.size else len(self.losses)


def book(cell: Cell, tally: Tally, shapes: Shapes, stretch: Stretch) -> CellBlock:
    """Take the stretch into the totals; returns it as a block without an ending.

    It is cut at the first loss that is not finite. That update has left nothing to evaluate.
    """
    n = len(stretch)
    before, last = tally.done, tally.done + n
    until = last - 1 if stretch.bad else last
    kept = [(step, values) for step, values in stretch.evaluations if step <= until]
    probed = _probed(cell, shapes, {need: values[:n] for need, values in stretch.norms.items()})
    laps = stretch.laps[:n]
    set_to = _settings(cell, before, n, stretch)
    updates = {"loss": single(stretch.losses[:n]), **set_to, **probed, "step_seconds": single(laps)}
    _take_in(cell, tally, probed, laps, kept)
    return CellBlock(before + 1, updates, np.array([step for step, _ in kept], np.int64), _columns(kept), last)


def _settings(cell: Cell, before: int, n: int, stretch: Stretch) -> dict[str, Float32s]:
    """Rate, batch size and momentum of each update."""
    rows = np.diff(cell.batches.seen(np.arange(before, before + n + 1)))
    found = {"lr": single(stretch.rates[:n]), "batch_size": single(rows)}
    return found if cell.momentum is None else found | {"momentum": single(stretch.momenta[:n])}


def _probed(cell: Cell, shapes: Shapes, norms: Mapping[Need, NDArray[np.float64]]) -> dict[str, Float32s]:
    probed: dict[str, Float32s] = {}
    for probe in cell.probes:
        if probe.need:
            values = probe.values(norms[probe.need], shapes)
            probed |= {name: single(column) for name, column in values.items()}
    return probed


def _take_in(
    cell: Cell, tally: Tally, probed: Mapping[str, Float32s], laps: NDArray[np.float64],
    kept: Sequence[tuple[int, Mapping[str, float]]],
) -> None:  # fmt: skip
    before, already = tally.done, tally.train_seconds
    tally.add(probed, len(laps))
    tally.add_time(laps, cell)
    for probe in cell.probes:
        for name, (metric, limit) in probe.crossings().items():
            tally.crossed(name, before, probed[metric] > limit)
    for step, values in kept:
        tally.evaluated(step, values)
        tally.watch(cell, step, values, already + float(laps[: step - before].sum()))


def _columns(kept: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, Float32s]:
    names = kept[0][1] if kept else ()
    return {name: single([values[name] for _, values in kept]) for name in names}


def single(values: object) -> Float32s:
    """As stored: float32, from float64."""
    return np.asarray(values, dtype=np.float64).astype(np.float32)
