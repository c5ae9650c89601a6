"""Rate over batch size as a spec plans it: whether runs with a changing batch have the noise of those without."""

from typing import Any

import altair as alt
import numpy as np
from batchlab.cell import Cell

from batchlab_api import axis
from batchlab_api.plots import lines, lines_chart, words
from batchlab_api.plots.arms import Arms, arms, point_of
from batchlab_api.plots.lines import Line, Lines
from batchlab_api.plots.options import Options
from batchlab_api.plots.planned import POINTS, one_a_point
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source


class PlannedNoise(Plot[Lines]):
    """The rate over the batch size, for each arm of the sweep, with the updates that each takes."""

    name = "grow-the-batch"
    title = "Noise of a step, as planned: rate over batch size"
    description = "Rate over batch size at every update that the spec asks for, and how many updates each arm takes."

    def applies(self, experiment: Row) -> bool:
        spec = experiment["spec"]
        asked = [spec, *(spec.get("variants") or ())]
        return any((arm.get("batch_schedule") or {}).get("kind", "constant") != "constant" for arm in asked)

    def numbers(self, source: Source) -> Lines:
        cells = one_a_point(source.experiment["spec"])
        places = arms([point_of(cell.describe()) for cell in cells], along="")
        found = [_line(cell, places) for cell in cells]
        return lines.frame(
            source, self.title, "dimensionless", "epoch", places=places, found=found, note=_cost(cells),
            steps="step-after",
        )  # fmt: skip

    def chart(self, numbers: Lines, options: Options) -> alt.TopLevelMixin:
        return lines_chart.draw(numbers, "Rate over batch size", options)

    def summary(self, numbers: Lines) -> str:
        return lines.sentence(numbers)

    def rows(self, numbers: Lines) -> list[dict[str, Any]]:
        return lines.table(numbers)


def _line(cell: Cell, places: Arms) -> Line:
    steps = np.unique(np.linspace(0, cell.steps - 1, min(POINTS, cell.steps)).round())
    noise = cell.rates(steps) / cell.batches.sizes(steps)
    x = axis.along("epoch", cell, steps, None)
    return Line(*places.place(point_of(cell.describe())), 1, x, noise, noise, noise, None)


def _cost(cells: list[Cell]) -> str:
    """The updates of each variant, and what is saved against the most."""
    taken: dict[str, int] = {}
    for cell in cells:
        taken.setdefault(cell.variant or f"batch {cell.batch_size}", cell.steps)
    most = max(taken.values())
    parts = [f"{name} {words.several(n, 'update')}{_saved(n, most)}" for name, n in taken.items()]
    return words.BETWEEN.join(parts)


def _saved(updates: int, most: int) -> str:
    return f" ({1 - updates / most:.0%} saved)" if updates < most else ""
