"""What analyses have measured of each cell, against the batch size: sharpness by its definitions, curvature."""

from dataclasses import dataclass
from typing import Any

import altair as alt
from batchlab.results import group_cells

from batchlab_api.plots import by_axis, by_axis_chart, found, words
from batchlab_api.plots.by_axis import BATCH, ByAxis, Quantity
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source


@dataclass(frozen=True)
class MeasuredPlot(Plot[ByAxis]):
    """Values of one kind of analysis by batch size, averaged over seeds."""

    name: str
    title: str
    description: str
    kind: str
    value_title: str
    keys: tuple[str, ...] = ()
    """Which values; all where empty."""

    def applies(self, experiment: Row) -> bool:
        return found.has(experiment, self.kind) and sweeps(experiment, "batch_size")

    def numbers(self, source: Source) -> ByAxis:
        cells = list(found.measured(source, self.kind))
        names = dict.fromkeys(name for cell in cells for name in cell["result"])
        shown = [Quantity(name, name.replace("_", " ")) for name in names if not self.keys or name in self.keys]
        groups, note = group_cells(cells), "" if cells else words.several(0, "analysis")
        return by_axis.collect(
            source, self.title, shown, "dimensionless", BATCH, cells=cells, groups=groups, log=True, note=note
        )

    def chart(self, numbers: ByAxis, options: Options) -> alt.TopLevelMixin:
        return by_axis_chart.draw(numbers, self.value_title, options)

    def summary(self, numbers: ByAxis) -> str:
        return by_axis.sentence(numbers)

    def rows(self, numbers: ByAxis) -> list[dict[str, Any]]:
        return by_axis.table(numbers)


PLOTS = (
    MeasuredPlot(
        name="sharpness-vs-batch",
        title="Sharpness by batch size",
        description="How much the loss rises around the last weights, by the definitions that were asked for.",
        kind="sharpness",
        value_title="Sharpness",
    ),
    MeasuredPlot(
        name="curvature-vs-batch",
        title="Largest curvature by batch size",
        description="The largest eigenvalue of the curvature at the last weights.",
        kind="eigenvalues",
        value_title="Largest eigenvalue",
        keys=("lambda_max",),
    ),
)
