"""Names and units of what is measured, and which of it is time."""

PER_UPDATE = ("loss", "lr", "batch_size", "momentum", "step_seconds")
"""At every update, whatever the probes are (momentum only where the optimizer has one)."""
EVALUATED = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
"""At evaluations (accuracies only in classification)."""
TIMES = frozenset({"step_seconds", "noise_scale_seconds"})
"""Measured in seconds: never part of a digest."""
TIMED_RESULTS = frozenset(
    {"seconds_per_update", "seconds_per_epoch", "seconds_to_target", "timing", "noise_scale_seconds",
     "mean_noise_scale_seconds", "noise_scale_overhead"}
)  # fmt: skip
"""Keys of a cell's result that hold measured seconds or say how they were measured: never part of a digest."""

_UNITS = {
    "loss": "nats",
    "train_loss": "nats",
    "val_loss": "nats",
    "train_accuracy": "fraction",
    "val_accuracy": "fraction",
    "lr": "1",
    "momentum": "1",
    "batch_size": "rows",
    "noise_scale": "rows",
    "noise_scale_error": "rows",
    "step_seconds": "s",
    "noise_scale_seconds": "s",
}


def unit(metric: str, loss: str = "cross_entropy") -> str:
    """The unit of `metric` under this loss; norms have that of loss per parameter, written "1"."""
    found = _UNITS.get(metric, "1")
    return "1" if found == "nats" and loss != "cross_entropy" else found


def is_evaluated(metric: str) -> bool:
    """Whether `metric` is taken at evaluations rather than at every update."""
    return metric in EVALUATED
