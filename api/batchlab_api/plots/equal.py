"""Accuracy against the batch size at equal cost: epochs, updates, examples, training time, or training loss.

A large batch makes fewer updates in an epoch, so which batch is better depends on what is held equal. The budget is
the largest that every cell of a variant has spent: the shortest run's end, or the lowest training loss that all have
reached. Variants may differ in their budgets, and each is compared within itself.
Between two evaluations the accuracies lie on a straight line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
from batchlab.results import group_cells

from batchlab_api.axis import Axis
from batchlab_api.plots import by_axis, by_axis_chart
from batchlab_api.plots.by_axis import BATCH, ByAxis, Quantity
from batchlab_api.plots.curves import Floats, floats
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source
from batchlab_api.plots.words import amount

METRICS = ("train_accuracy", "val_accuracy", "train_loss")
SHOWN = (Quantity("train_accuracy", "training"), Quantity("val_accuracy", "validation"))
POINTS = 1000
Curves = Mapping[str, tuple[Floats, Floats]]
"""Of one cell: metric -> (x, values), each of shape (evaluations,)."""


@dataclass(frozen=True)
class EqualPlot(Plot[ByAxis]):
    """Accuracy by batch size where every cell has spent the same."""

    name: str
    title: str
    description: str
    x: Axis
    words: str
    """Says what is equal; {} is the number."""
    by_loss: bool = False
    """Whether cells are compared where their training loss first falls to a common level."""

    def applies(self, experiment: Row) -> bool:
        return "val_accuracy" in experiment["metrics"] and sweeps(experiment, "batch_size")

    def numbers(self, source: Source) -> ByAxis:
        cells = [cell for cell in source.cells if cell["status"] == "succeeded"]
        read = _read(source, self.x)
        there = [(cell, read[_key(cell)]) for cell in cells if METRICS[-1] in read.get(_key(cell), {})]
        measured, notes = [], []
        for variant in dict.fromkeys(cell["variant"] for cell, _ in there):
            arm = [(cell, found) for cell, found in there if cell["variant"] == variant]
            budget, places = (_at_level if self.by_loss else _at_end)([found for _, found in arm])
            measured += [_measured(cell, found, at) for (cell, found), at in zip(arm, places, strict=True)]
            notes.append((f"{variant}: " if variant else "") + self.words.format(amount(budget)))
        note, groups = "; ".join(notes), group_cells(measured)
        return by_axis.collect(source, self.title, SHOWN, "fraction", BATCH, cells=measured, groups=groups, note=note)

    def chart(self, numbers: ByAxis, options: Options) -> alt.TopLevelMixin:
        return by_axis_chart.draw(numbers, "Accuracy", options)

    def summary(self, numbers: ByAxis) -> str:
        return by_axis.sentence(numbers)

    def rows(self, numbers: ByAxis) -> list[dict[str, Any]]:
        return by_axis.table(numbers)


def _read(source: Source, x: Axis) -> dict[tuple[Any, ...], dict[str, tuple[Floats, Floats]]]:
    """The evaluations of every cell, by the cell's point and seed."""
    found: dict[tuple[Any, ...], dict[str, tuple[Floats, Floats]]] = {}
    for series in source.curves(METRICS, POINTS, x, "cell"):
        found.setdefault(_key(series), {})[series["metric"]] = floats(series["x"]), floats(series["mean"])
    return found


def _key(row: Row) -> tuple[Any, ...]:
    point = (row[name] for name in ("variant", "batch_size", "lr", "momentum", "seed"))
    return (*point, *sorted((row.get("params") or {}).items()))


def _at_end(curves: Sequence[Curves]) -> tuple[float, list[float]]:
    """The budget that the shortest cell has, which is the place in all of them."""
    budget = min((float(found["train_loss"][0][-1]) for found in curves), default=0.0)
    return budget, [budget] * len(curves)


def _at_level(curves: Sequence[Curves]) -> tuple[float, list[float]]:
    """The lowest training loss that every cell reaches, and where each first does."""
    level = max((float(np.nanmin(found["train_loss"][1])) for found in curves), default=0.0)
    return level, [_first_at_most(*found["train_loss"], level) for found in curves]


def _first_at_most(x: Floats, values: Floats, level: float) -> float:
    """Where the values, joined by straight lines, first come down to the level."""
    after = int(np.argmax(values <= level))
    if after == 0:
        return float(x[0])
    before = values[after - 1]
    return float(x[after - 1] + (x[after] - x[after - 1]) * (before - level) / (before - values[after]))


def _measured(cell: Row, curves: Curves, at: float) -> dict[str, Any]:
    """The cell with the accuracies that it had at one place as its result."""
    result = {q.metric: float(np.interp(at, *curves[q.metric])) for q in SHOWN if q.metric in curves}
    return {**cell, "result": result}


def _plot(noun: str, x: Axis, title: str, unit: str) -> EqualPlot:
    return EqualPlot(
        name=f"accuracy-at-equal-{noun}",
        title=f"Accuracy by batch size at equal {title}",
        description=f"Accuracy on the training and the validation rows where every cell has spent the same: {title}.",
        x=x,
        words=f"each cell after {{}} {unit}",
    )


PLOTS = (
    _plot("epochs", "epoch", "epochs", "epochs"),
    _plot("updates", "step", "updates", "updates"),
    _plot("examples", "examples", "examples", "examples"),
    _plot("time", "seconds", "training time", "seconds of training"),
    EqualPlot(
        name="accuracy-at-equal-train-loss",
        title="Accuracy by batch size at equal training loss",
        description="Accuracy on the training and the validation rows where the training loss first falls to a level "
        "that every cell reaches.",
        x="step",
        words="each cell where its training loss first falls to {}",
        by_loss=True,
    ),
)
