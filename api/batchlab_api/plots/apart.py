"""How far the weights of two runs are apart after equal rows: each batch size against the smallest."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import lines, lines_chart, words
from batchlab_api.plots.arms import Arms
from batchlab_api.plots.curves import Floats, floats
from batchlab_api.plots.lines import Line, Lines
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source

POINTS = 4000
PREFIX = "param/"
Course = tuple[Floats, Floats]
"""Rows seen (points,), and the weights there (points, numbers)."""


class WeightsApart(Plot[Lines]):
    """The distance between the weights at each batch size and those at the smallest, over the rows seen."""

    name = "weights-apart"
    title = "Distance between the weights after equal samples"
    description = "Distance of the weights from those of the smallest batch with the same seed, after the same rows."

    def applies(self, experiment: Row) -> bool:
        return _metrics(experiment) != [] and sweeps(experiment, "batch_size")

    def numbers(self, source: Source) -> Lines:
        read = source.curves(_metrics(source.experiment), POINTS, "step", "cell")
        seed = min((series["seed"] for series in read), default=0)
        arms = _courses([series for series in read if series["seed"] == seed])
        found = [line for name, sizes in arms.items() for line in _lines(name, sizes)]
        labels = tuple(dict.fromkeys(line.colour for line in found))
        panels = tuple(dict.fromkeys(line.panel for line in found))
        smallest = min((size for sizes in arms.values() for size in sizes), default=0)
        note = f"against batch {smallest}, seed {seed}"
        return lines.frame(
            source, self.title, "dimensionless", "examples", places=Arms(labels, panels, True, {}), found=found,
            note=note,
        )  # fmt: skip

    def chart(self, numbers: Lines, options: Options) -> alt.TopLevelMixin:
        return lines_chart.draw(numbers, "Distance between the weights", options)

    def summary(self, numbers: Lines) -> str:
        return lines.sentence(numbers)

    def rows(self, numbers: Lines) -> list[dict[str, Any]]:
        return lines.table(numbers)


def _metrics(experiment: Row) -> list[str]:
    return sorted(name for name in experiment["metrics"] if name.startswith(PREFIX))


def _courses(read: Sequence[Row]) -> dict[str, dict[int, Course]]:
    """The way of the weights by line (variant and momentum, say) and batch size."""
    columns: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for series in read:
        columns[str(series["variant"] or ""), series["batch_size"]].append(series)
    found: dict[str, dict[int, Course]] = defaultdict(dict)
    for (line, size), numbers in sorted(columns.items(), key=lambda item: item[0][1]):
        steps = floats(numbers[0]["x"])
        # A position is taken before its update: after the rows of the updates before it.
        found[line][size] = (steps - 1) * size, np.stack([floats(series["mean"]) for series in numbers], axis=1)
    return found


def _lines(name: str, sizes: Mapping[int, Course]) -> list[Line]:
    rows, weights = sizes[min(sizes)]
    return [_line(name, size, course, rows, weights) for size, course in sizes.items() if size != min(sizes)]


def _line(name: str, size: int, course: Course, rows: Floats, weights: Floats) -> Line:
    x, here = course
    there = np.stack([np.interp(x, rows, column) for column in weights.T], axis=1)
    apart = np.linalg.norm(here - there, axis=1)
    shown = slice(1, None) if len(x) > 1 else slice(None)  # all start from the same weights
    return Line(f"batch {words.number(size)}", name, 1, x[shown], *(apart[shown],) * 3, None)
