"""The plots over training: a panel for each batch size, or all arms of the sweep over each other."""

from collections.abc import Iterator

from batchlab_api.axis import Axis
from batchlab_api.plots.kinds import CurvePlot, LinesPlot

_BY_BATCH: tuple[CurvePlot, ...] = (
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

_METRICS = (
    ("loss", "Batch loss", "loss of each batch before its update"),
    ("train-loss", "Training loss", "loss on the training rows at the evaluations"),
    ("val-loss", "Validation loss", "loss on the validation rows at the evaluations"),
    ("train-accuracy", "Training accuracy", "accuracy on the training rows at the evaluations"),
    ("val-accuracy", "Validation accuracy", "accuracy on the validation rows at the evaluations"),
    ("grad-norm", "Gradient norm", "norm of each batch's gradient"),
    ("param-norm", "Norm of the weights", "norm of all weights before each update"),
    ("distance", "Distance from the start", "distance of all weights from where they began"),
    ("lr", "Learning rate", "learning rate of each update"),
    ("momentum", "Momentum", "momentum of each update"),
    ("batch-size", "Batch size", "rows of each update"),
    ("update-norm", "Norm of the update", "norm of each step of all weights"),
    ("distance", "Distance from the start", "distance of the weights from the initial ones"),
)
_AXES: tuple[tuple[Axis, str], ...] = (
    ("epoch", "epochs"),
    ("step", "updates"),
    ("examples", "examples"),
    ("seconds", "seconds"),
)


def _over() -> Iterator[LinesPlot]:
    """Every metric over every axis: `val-loss-over-updates` and so on."""
    for metric, title, what in _METRICS:
        for axis, word in _AXES:
            yield LinesPlot(
                name=f"{metric}-over-{word}",
                title=f"{title} over {'training time' if axis == 'seconds' else word}",
                description=f"The {what}, averaged over seeds with a 95 % t interval, a line for each arm.",
                y_title=title,
                metric=metric.replace("-", "_"),
                x=axis,
            )


PLOTS: tuple[CurvePlot | LinesPlot, ...] = (*_BY_BATCH, *_over())
