"""The kinds of plots that fit any experiment: one class a kind, one object a plot."""

from dataclasses import dataclass
from typing import Any

import altair as alt

from batchlab_api import axis as along
from batchlab_api.plots import by_axis, by_axis_chart, by_variant_chart, curves, curves_chart, lines, lines_chart
from batchlab_api.plots.by_axis import Axis, ByAxis, Quantity
from batchlab_api.plots.curves import Curves
from batchlab_api.plots.lines import Lines
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source, unit


@dataclass(frozen=True)
class AxisPlot(Plot[ByAxis]):
    """Results against one axis of the sweep."""

    name: str
    title: str
    description: str
    value_title: str
    metric: str
    """The stored series without which there is nothing to show, and whose unit the results have."""
    quantities: tuple[Quantity, ...]
    axis: Axis = by_axis.BATCH
    log: bool = False
    timing: bool = False

    def applies(self, experiment: Row) -> bool:
        return self.metric in experiment["metrics"] and sweeps(experiment, self.axis.key)

    def numbers(self, source: Source) -> ByAxis:
        measured = unit(source.experiment, self.metric)
        return by_axis.measure(
            source, self.title, self.quantities, measured, self.axis, log=self.log, timing=self.timing
        )

    def chart(self, numbers: ByAxis, options: Options) -> alt.TopLevelMixin:
        draw = by_variant_chart.draw if self.axis.is_named else by_axis_chart.draw
        return draw(numbers, self.value_title, options)

    def summary(self, numbers: ByAxis) -> str:
        return by_axis.sentence(numbers)

    def rows(self, numbers: ByAxis) -> list[dict[str, Any]]:
        return by_axis.table(numbers)


@dataclass(frozen=True)
class CurvePlot(Plot[Curves]):
    """A metric over training, by batch size."""

    name: str
    title: str
    description: str
    y_title: str
    metric: str
    band: curves.Band

    def applies(self, experiment: Row) -> bool:
        return self.metric in experiment["metrics"]

    def numbers(self, source: Source) -> Curves:
        return curves.trace(source, self.title, self.metric, unit(source.experiment, self.metric), self.band)

    def chart(self, numbers: Curves, options: Options) -> alt.TopLevelMixin:
        return curves_chart.draw(numbers, f"{self.y_title} ({numbers.unit})", options)

    def summary(self, numbers: Curves) -> str:
        return curves.sentence(numbers)

    def rows(self, numbers: Curves) -> list[dict[str, Any]]:
        return curves.table(numbers)


@dataclass(frozen=True)
class LinesPlot(Plot[Lines]):
    """A metric along training, the arms of the sweep over each other."""

    name: str
    title: str
    description: str
    y_title: str
    metric: str
    x: along.Axis

    def applies(self, experiment: Row) -> bool:
        return self.metric in experiment["metrics"]

    def numbers(self, source: Source) -> Lines:
        return lines.trace(source, self.title, self.metric, unit(source.experiment, self.metric), self.x)

    def chart(self, numbers: Lines, options: Options) -> alt.TopLevelMixin:
        return lines_chart.draw(numbers, self.y_title, options)

    def summary(self, numbers: Lines) -> str:
        return lines.sentence(numbers)

    def rows(self, numbers: Lines) -> list[dict[str, Any]]:
        return lines.table(numbers)
