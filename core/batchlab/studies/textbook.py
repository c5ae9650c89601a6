"""The figures of the textbook and the lectures that need nothing but a sweep of the batch size."""

from batchlab.claims import At, Claim, Compare, Saturates, Trend
from batchlab.studies.base import Document, Size, Study


def _grad_norm_vs_batch(size: Size) -> Document:
    return {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [1, 2, 4, 8, 10, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 128],
        "lr": {"rule": "fixed", "base": 0.5},
        "budget": {"epochs": {"smoke": 2, "small": 50, "full": 500}[size]},
        "seeds": {"smoke": 1, "small": 5, "full": 5}[size],
        "evaluate": {"every_steps": 80},
        "probes": [{"kind": "grad_norm"}],
    }


def _time_per_update(size: Size) -> Document:
    steps = 20 if size == "smoke" else 100
    return {
        "dataset": {"kind": "mnist" if size == "full" else "digits"},
        "model": {"kind": "mlp", "widths": [256]},
        "batch_sizes": [1, 10, 100, 1000, *([10000] if size == "full" else []), "full"],
        "lr": {"rule": "fixed", "base": 0.05},
        "budget": {"steps": steps},
        "seeds": 1 if size == "smoke" else 3,
        "evaluate": {"every_steps": steps},
        "probes": [],
        "isolated": True,
    }


STUDIES = (
    Study(
        name="grad-norm-vs-batch",
        title="Gradient norm and batch size",
        source="figure 6.7.1",
        question="How do the gradient's norm and the best validation loss change with the batch size?",
        doc="Softmax regression on three sectors of the plane, 500 epochs at the rate 0.5 for sixteen batch sizes. "
        "Each point of the left panel is the mean over all updates of the norm of the gradient of W, or of b. "
        "Sizes that do not divide 800 end each epoch with a short batch, whose gradient is larger: the plateau at 36 "
        "is that of its remainder of 8 rows.",
        plots=("grad-norm-vs-batch", "best-val-loss-vs-batch", "grad-norm-curves", "loss-curves", "verdicts"),
        claims=(
            Claim(
                "norm-falls", "From batch size 4 on, the mean gradient norm falls.", "figure 6.7.1",
                Trend(quantity="mean_grad_norm", low=4, direction="falls", smallest=0.05),
            ),
            Claim(
                "norm-rises-first", "From batch size 1 to 4, the mean gradient norm rises.", "figure 6.7.1",
                Trend(quantity="mean_grad_norm", high=4, direction="rises", smallest=0.05),
            ),
            Claim(
                "loss-rises", "The minimum validation loss rises with the batch size.", "figure 6.7.1",
                Trend(quantity="best_val_loss", direction="rises", smallest=0.05),
            ),
        ),
        build=_grad_norm_vs_batch,
    ),
    Study(
        name="time-per-update",
        title="Time per update and per epoch",
        source="figures 3.9 and 3.10",
        question="How long do an update and an epoch take as the batch grows?",
        doc="A hidden layer of 256 units, each batch size alone on its machine. The first ten updates are not timed. "
        "That the time per update stays flat is a claim about parallel hardware: a CPU may contradict it.",
        plots=("time-trends", "seconds-per-update", "seconds-per-epoch", "verdicts"),
        claims=(
            Claim(
                "update-flat", "Up to some batch size, the time per update does not change.", "figure 3.9",
                Saturates(quantity="seconds_per_update", factor=4),
            ),
            Claim(
                "update-rises", "A large batch takes longer for an update than a small one.", "figure 3.9",
                Compare(
                    quantity="seconds_per_update", a=At(batch_size="largest"), b=At(batch_size="smallest"),
                    direction="greater", scale="log_ratio", smallest=0.1,
                ),
            ),
            Claim(
                "epoch-falls", "The time per epoch falls as the batch grows.", "figure 3.10",
                Trend(quantity="seconds_per_epoch", direction="falls", smallest=0.1),
            ),
        ),
        build=_time_per_update,
    ),
)  # fmt: skip
