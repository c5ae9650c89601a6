"""Learning rates as a spec plans them, update by update: no training is needed to draw them."""

from typing import Any

import altair as alt
import numpy as np
from batchlab.cell import Cell
from batchlab.expand import expand
from batchlab.spec import parse_spec

from batchlab_api import axis
from batchlab_api.plots import lines, lines_chart
from batchlab_api.plots.arms import Arms, arms, point_of
from batchlab_api.plots.lines import Line, Lines
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

POINTS = 600
"""Points of a line, at the most."""


class PlannedRates(Plot[Lines]):
    """The learning rate over the epochs, for each arm of the sweep."""

    name = "lr-schedule"
    title = "Learning rate over epochs, as planned"
    description = "The learning rate of every update that the spec asks for, from its rule and its schedule alone."

    def applies(self, experiment: Row) -> bool:
        return bool(experiment["spec"])

    def numbers(self, source: Source) -> Lines:
        cells = one_a_point(source.experiment["spec"])
        places = arms([point_of(cell.describe()) for cell in cells], along="")
        found = [_line(cell, places) for cell in cells]
        return lines.frame(source, self.title, "dimensionless", "epoch", places=places, found=found, note="")

    def chart(self, numbers: Lines, options: Options) -> alt.TopLevelMixin:
        return lines_chart.draw(numbers, "Learning rate", options)

    def summary(self, numbers: Lines) -> str:
        return lines.sentence(numbers)

    def rows(self, numbers: Lines) -> list[dict[str, Any]]:
        return lines.table(numbers)


def one_a_point(spec: Row) -> list[Cell]:
    """One cell for each point of the sweep, whatever its seed."""
    found: dict[str, Cell] = {}
    for cell in expand(parse_spec(spec)):
        found.setdefault(str({**cell.describe(), "seed": None}), cell)
    return list(found.values())


def _line(cell: Cell, places: Arms) -> Line:
    steps = np.unique(np.linspace(0, cell.steps - 1, min(POINTS, cell.steps)).round())
    rates = cell.rates(steps)
    x = axis.along("epoch", cell, steps, None)
    return Line(*places.place(point_of(cell.describe())), 1, x, rates, rates, rates, None)
