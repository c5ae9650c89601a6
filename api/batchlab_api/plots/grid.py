"""The maps of rates and batch sizes."""

from dataclasses import dataclass
from typing import Any

import altair as alt
from batchlab.claims.optima import Goal

from batchlab_api.plots import heat, heat_chart
from batchlab_api.plots.heat import Heat
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source, unit


@dataclass(frozen=True)
class GridPlot(Plot[Heat]):
    """A result for every pair of rate and batch size, with the best rate of each batch size."""

    name: str
    title: str
    description: str
    label: str
    result: str
    """A key of the cells' results."""
    metric: str
    """The stored series without which there is nothing to show."""
    goal: Goal

    def applies(self, experiment: Row) -> bool:
        both = sweeps(experiment, "lr") and sweeps(experiment, "batch_size")
        return self.metric in experiment["metrics"] and both

    def numbers(self, source: Source) -> Heat:
        label = f"{self.label} ({unit(source.experiment, self.metric)})"
        return heat.measure(source, self.title, self.result, label, self.goal)

    def chart(self, numbers: Heat, options: Options) -> alt.TopLevelMixin:
        return heat_chart.draw(numbers, options)

    def summary(self, numbers: Heat) -> str:
        return heat.sentence(numbers)

    def rows(self, numbers: Heat) -> list[dict[str, Any]]:
        return heat.table(numbers)


PLOTS: tuple[GridPlot, ...] = (
    GridPlot(
        name="lr-batch-heat-map",
        title="Best validation loss by rate and batch size",
        description="The lowest validation loss for every pair of rate and batch size; the best rate of each size.",
        label="Loss",
        result="best_val_loss",
        metric="val_loss",
        goal="min",
    ),
    GridPlot(
        name="lr-batch-accuracy-map",
        title="Validation accuracy by rate and batch size",
        description="Final validation accuracy for every pair of rate and batch size; the best rate of each size.",
        label="Accuracy",
        result="val_accuracy",
        metric="val_accuracy",
        goal="max",
    ),
)
