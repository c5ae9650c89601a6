"""The plots, by name. A name is part of an address and of papers that cite it: it never changes."""

from dataclasses import dataclass
from typing import Any

import altair as alt

from batchlab_api.plots import by_batch, by_batch_chart, curves, curves_chart
from batchlab_api.plots.by_batch import ByBatch, Quantity
from batchlab_api.plots.curves import Curves
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps_batch
from batchlab_api.plots.source import Row, Source, unit


@dataclass(frozen=True)
class BatchPlot(Plot[ByBatch]):
    """Results against the batch size."""

    name: str
    title: str
    description: str
    y_title: str
    metric: str
    """The stored series without which there is nothing to show, and whose unit the results have."""
    quantities: tuple[Quantity, ...]
    log: bool = False
    timing: bool = False

    def applies(self, experiment: Row) -> bool:
        return self.metric in experiment["metrics"] and sweeps_batch(experiment)

    def numbers(self, source: Source) -> ByBatch:
        measured = unit(source.experiment, self.metric)
        return by_batch.measure(source, self.title, self.quantities, measured, log=self.log, timing=self.timing)

    def chart(self, numbers: ByBatch, options: Options) -> alt.TopLevelMixin:
        return by_batch_chart.draw(numbers, self.y_title, options)

    def summary(self, numbers: ByBatch) -> str:
        return by_batch.sentence(numbers)

    def rows(self, numbers: ByBatch) -> list[dict[str, Any]]:
        return by_batch.table(numbers)


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


_ALL: tuple[Plot[Any], ...] = (
    BatchPlot(
        name="grad-norm-vs-batch",
        title="Mean gradient norm by batch size",
        description="Mean over all updates of the Frobenius norm of the batch gradient, weights and biases apart.",
        y_title="Mean gradient norm",
        metric="grad_norm",
        quantities=(Quantity("mean_grad_norm_weights", "weights, dW"), Quantity("mean_grad_norm_biases", "biases, dB")),
    ),
    BatchPlot(
        name="best-val-loss-vs-batch",
        title="Best validation loss by batch size",
        description="The lowest validation loss over the evaluations of a run.",
        y_title="Best validation loss",
        metric="val_loss",
        quantities=(Quantity("best_val_loss", "best validation loss"),),
    ),
    BatchPlot(
        name="accuracy-vs-batch",
        title="Final accuracy by batch size",
        description="Accuracy at the end of training, on the training and on the validation rows.",
        y_title="Final accuracy",
        metric="val_accuracy",
        quantities=(Quantity("train_accuracy", "training"), Quantity("val_accuracy", "validation")),
    ),
    BatchPlot(
        name="seconds-per-update",
        title="Time per update by batch size",
        description="Training seconds per update, without warm-up, evaluation, probes and storage.",
        y_title="Training time per update",
        metric="step_seconds",
        quantities=(Quantity("seconds_per_update", "time per update"),),
        log=True,
        timing=True,
    ),
    BatchPlot(
        name="seconds-per-epoch",
        title="Time per epoch by batch size",
        description="Training seconds per update times updates per epoch.",
        y_title="Training time per epoch",
        metric="step_seconds",
        quantities=(Quantity("seconds_per_epoch", "time per epoch"),),
        log=True,
        timing=True,
    ),
    CurvePlot(
        name="loss-curves",
        title="Training loss by batch size",
        description="Loss of each batch before its update; the band runs from the least to the greatest value.",
        y_title="Batch loss",
        metric="loss",
        band="extremes",
    ),
    CurvePlot(
        name="grad-norm-curves",
        title="Gradient norm by batch size",
        description="Norm of each batch's gradient; the band runs from the least to the greatest value.",
        y_title="Gradient norm",
        metric="grad_norm",
        band="extremes",
    ),
    CurvePlot(
        name="val-loss-curves",
        title="Validation loss by batch size",
        description="Validation loss at the evaluations, averaged over seeds with a 95 % t interval.",
        y_title="Validation loss",
        metric="val_loss",
        band="interval",
    ),
)
PLOTS: dict[str, Plot[Any]] = {plot.name: plot for plot in _ALL}


def available(experiment: Row) -> list[Plot[Any]]:
    """The plots that an experiment with this spec and these metrics can have."""
    return [plot for plot in PLOTS.values() if plot.applies(experiment)]
