"""The plots of results against an axis of the sweep: batch size, rate, momentum, an optimizer's number, variants."""

from collections.abc import Iterator

from batchlab.kinds import members
from batchlab.optimizers import Optimizer

from batchlab_api.plots.by_axis import LR, MOMENTUM, VARIANT, Axis, Quantity, number_axis
from batchlab_api.plots.kinds import AxisPlot

NORMS = (Quantity("mean_grad_norm_weights", "weights, dW"), Quantity("mean_grad_norm_biases", "biases, dB"))
BEST_LOSS = (Quantity("best_val_loss", "best validation loss"),)
FINAL_LOSS = (Quantity("train_loss", "training"), Quantity("val_loss", "validation"))
ACCURACY = (Quantity("train_accuracy", "training"), Quantity("val_accuracy", "validation"))
PER_UPDATE = (Quantity("seconds_per_update", "time per update"),)
PER_EPOCH = (Quantity("seconds_per_epoch", "time per epoch"),)

_BATCH = (
    AxisPlot(
        name="grad-norm-vs-batch",
        title="Mean gradient norm by batch size",
        description="Mean over all updates of the Frobenius norm of the batch gradient, weights and biases apart.",
        value_title="Mean gradient norm",
        metric="grad_norm",
        quantities=NORMS,
    ),
    AxisPlot(
        name="best-val-loss-vs-batch",
        title="Best validation loss by batch size",
        description="The lowest validation loss over the evaluations of a run.",
        value_title="Best validation loss",
        metric="val_loss",
        quantities=BEST_LOSS,
    ),
    AxisPlot(
        name="accuracy-vs-batch",
        title="Final accuracy by batch size",
        description="Accuracy at the end of training, on the training and on the validation rows.",
        value_title="Final accuracy",
        metric="val_accuracy",
        quantities=ACCURACY,
    ),
    AxisPlot(
        name="seconds-per-update",
        title="Time per update by batch size",
        description="Training seconds per update, without warm-up, evaluation, probes and storage.",
        value_title="Training time per update",
        metric="step_seconds",
        quantities=PER_UPDATE,
        log=True,
        timing=True,
    ),
    AxisPlot(
        name="seconds-per-epoch",
        title="Time per epoch by batch size",
        description="Training seconds per update times updates per epoch.",
        value_title="Training time per epoch",
        metric="step_seconds",
        quantities=PER_EPOCH,
        log=True,
        timing=True,
    ),
)


def _against(axis: Axis, suffix: str, words: str) -> Iterator[AxisPlot]:
    """What is drawn against every axis but the batch size, whose plots came first and have texts of their own."""
    yield AxisPlot(
        name=f"accuracy-{suffix}",
        title=f"Final accuracy by {words}",
        description=f"Accuracy at the end of training, on the training and on the validation rows, by {words}.",
        value_title="Final accuracy",
        metric="val_accuracy",
        quantities=ACCURACY,
        axis=axis,
    )
    yield AxisPlot(
        name=f"best-val-loss-{suffix}",
        title=f"Best validation loss by {words}",
        description=f"The lowest validation loss over the evaluations of a run, by {words}.",
        value_title="Best validation loss",
        metric="val_loss",
        quantities=BEST_LOSS,
        axis=axis,
    )
    yield AxisPlot(
        name=f"final-loss-{suffix}",
        title=f"Final loss by {words}",
        description=f"Loss at the end of training, on the training and on the validation rows, by {words}.",
        value_title="Final loss",
        metric="val_loss",
        quantities=FINAL_LOSS,
        axis=axis,
    )
    yield AxisPlot(
        name=f"grad-norm-{suffix}",
        title=f"Mean gradient norm by {words}",
        description=f"Mean over all updates of the norm of the batch gradient, weights and biases apart, by {words}.",
        value_title="Mean gradient norm",
        metric="grad_norm",
        quantities=NORMS,
        axis=axis,
    )


def _numbers() -> list[str]:
    """Names of the optimizers' numbers, any of which may be an axis."""
    fields = (field for cls in members(Optimizer) for field in cls.model_fields.items())
    return sorted({name for name, field in fields if isinstance(field.default, float)})


PLOTS: tuple[AxisPlot, ...] = (
    *_BATCH,
    *_against(LR, "vs-lr", "learning rate"),
    *_against(MOMENTUM, "vs-momentum", "momentum"),
    *_against(VARIANT, "by-variant", "variant"),
    AxisPlot(
        name="seconds-per-update-by-variant",
        title="Time per update by variant",
        description="Training seconds per update, without warm-up, evaluation, probes and storage, by variant.",
        value_title="Training time per update",
        metric="step_seconds",
        quantities=PER_UPDATE,
        axis=VARIANT,
        timing=True,
    ),
    *(
        plot
        for name in _numbers()
        for plot in _against(number_axis(name), f"vs-{name.replace('_', '-')}", name.replace("_", " "))
    ),
)
