"""Studies that compare with statistics: small against large, rates against batches, variance and roughness by batch."""

from batchlab.claims import (
    At,
    AtStep,
    Axis,
    Claim,
    Compare,
    Difference,
    Explains,
    RateExponent,
    Ratio,
    Result,
    ToTarget,
    Trend,
)
from batchlab.studies.base import Document, Size, Study

SMALL, LARGE = At(batch_size="smallest"), At(batch_size="largest")


def _digits(size: Size) -> Document:
    """A network of one hidden layer on the bundled digits, or on MNIST in the size of the sources."""
    return {
        "dataset": {"kind": "mnist" if size == "full" else "digits"},
        "model": {"kind": "mlp", "widths": [128 if size == "full" else 32]},
    }


def _small_vs_large(size: Size) -> Document:
    return _digits(size) | {
        "batch_sizes": [8, 512] if size != "full" else [32, "10%"],
        "lr": {"rule": "fixed", "base": 0.05},
        "budget": {"epochs": {"smoke": 2, "small": 20, "full": 20}[size]},
        "seeds": {"smoke": 2, "small": 5, "full": 5}[size],
        "evaluate": {"every_epochs": 1},
        "target": {"metric": "train_loss", "at_most": 0.5},
        "probes": [{"kind": "grad_norm"}, {"kind": "direction"}],
        "isolated": True,
    }


def _lr_batch_grid(size: Size) -> Document:
    sizes = {"smoke": [8, 32, 128], "small": [8, 16, 32, 64, 128, 256], "full": [16, 64, 256, 1024, 4096, 16384]}
    rates = {"smoke": 5, "small": 9, "full": 10}[size]
    return _digits(size) | {
        "batch_sizes": sizes[size],
        "lr": {"rule": "fixed", "base": [0.0125 * 2**k for k in range(rates)]},
        "budget": {"epochs": {"smoke": 1, "small": 5, "full": 10}[size]},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "probes": [],
    }


def _gradient_variance(size: Size) -> Document:
    sizes = [1, 2, 4, 8, 16, 32, 64]
    return _digits(size) | {
        "batch_sizes": {"smoke": [16, 32], "small": sizes, "full": [*sizes, 128, 256]}[size],
        "lr": {"rule": "fixed", "base": 0.02},
        "budget": {"steps": {"smoke": 10, "small": 200, "full": 1000}[size]},
        "evaluate": {"every_steps": {"smoke": 10, "small": 100, "full": 250}[size]},
        "seeds": {"smoke": 3, "small": 5, "full": 5}[size],
        "probes": [{"kind": "grad_norm"}, {"kind": "gradient_variance", "batches": 8 if size == "smoke" else 64}],
    }


def _loss_smoothness(size: Size) -> Document:
    return _digits(size) | {
        "batch_sizes": {"smoke": [8, 64], "small": [4, 16, 64, 256], "full": [16, 64, 256, 1024, 4096]}[size],
        "lr": {"rule": "fixed", "base": 0.05},
        "budget": {"epochs": {"smoke": 2, "small": 10, "full": 10}[size]},
        "seeds": {"smoke": 2, "small": 5, "full": 5}[size],
        "probes": [{"kind": "grad_norm"}, {"kind": "roughness"}],
    }


def _small_against_large(quantity: object, direction: str, smallest: float, scale: str = "log_ratio") -> Compare:
    fields = {"quantity": quantity, "a": SMALL, "b": LARGE, "direction": direction}
    return Compare.model_validate(fields | {"scale": scale, "smallest": smallest})


TABLES = "tables 6.7.2 and 3.1"
STUDIES = (
    Study(
        name="small-vs-large-table",
        title="A small batch beside a large one",
        source=TABLES,
        question="What does a small batch do better, and what a large one?",
        doc="One network at one rate for equal epochs, with a small and a large batch, alone on its machine. Every row "
        "of the sources' tables is measured on both sides and judged; the tables themselves are at "
        "/studies/small-vs-large-table/experiments/{id}/table.",
        plots=("verdicts", "loss-curves", "accuracy-vs-batch", "grad-cosine-vs-batch", "seconds-per-epoch"),
        claims=(
            Claim(
                "parallel", "Per example, a small batch takes longer: it leaves parallel hardware idle.", TABLES,
                _small_against_large(Ratio(of="seconds_per_update", over=Axis(axis="batch_size")), "greater", 0.1),
            ),
            Claim(
                "minimum", "A small batch attains a lower validation loss.", "table 6.7.2",
                _small_against_large("best_val_loss", "less", 0.05),
            ),
            Claim(
                "convergence", "In epochs, a small batch converges faster.", "table 6.7.2",
                _small_against_large(ToTarget(unit="epochs", unreached="end_of_run"), "less", 0.1),
            ),
            Claim(
                "updates", "A small batch makes more updates in equal epochs.", "table 6.7.2",
                _small_against_large("updates", "greater", 0.1),
            ),
            Claim(
                "serial-time", "Without parallel computation, an update takes longer with a large batch.", "table 3.1",
                _small_against_large("seconds_per_update", "less", 0.1),
            ),
            Claim(
                "update-time", "On parallel hardware, an update takes about as long with either.", "table 3.1",
                _small_against_large("seconds_per_update", "equal", 0.4),
            ),
            Claim(
                "epoch-time", "An epoch takes longer with a small batch.", TABLES,
                _small_against_large("seconds_per_epoch", "greater", 0.1),
            ),
            Claim(
                "noise", "The gradients of small batches are noisy: their directions agree less.", TABLES,
                _small_against_large("mean_grad_cosine", "less", 0.05, "difference"),
            ),
            Claim(
                "optimisation", "A small batch optimises better: its training accuracy is higher.", TABLES,
                _small_against_large("train_accuracy", "greater", 0.005, "difference"),
            ),
            Claim(
                "generalisation", "A small batch generalises better: its accuracy on unseen rows is higher.", TABLES,
                _small_against_large("val_accuracy", "greater", 0.005, "difference"),
            ),
        ),
        build=_small_vs_large,
    ),
    Study(
        name="lr-batch-grid",
        title="Learning rate and batch size, all pairs",
        source="section 6.7.3",
        question="Which rate goes with which batch size, and which of the two matters more?",
        doc="Every rate with every batch size for equal epochs. The best rate of a batch size is the vertex of a "
        "parabola through the best rate of the grid and its neighbours; how it grows with the batch is an exponent: 1 "
        "for the linear rule, 0.5 for the square root.",
        plots=("lr-batch-heat-map", "lr-batch-accuracy-map", "verdicts", "best-val-loss-vs-batch"),
        claims=(
            Claim(
                "linear", "A batch m times as large asks for a rate m times as large.", "section 6.7.3",
                RateExponent(quantity="best_val_loss", low=0.75, high=1.25),
            ),
            Claim(
                "square-root", "A batch m times as large asks for a rate sqrt(m) times as large.", "section 6.7.3",
                RateExponent(quantity="best_val_loss", low=0.25, high=0.75),
            ),
            Claim(
                "lr-matters-more", "Results depend less on the batch size than on the rate.", "lecture notes 002, 3.2",
                Explains(quantity="val_accuracy", more="lr", less="batch_size", smallest=0.1),
            ),
            Claim(
                "too-fast-for-small", "A small batch at a large rate misses the best point.", "section 6.7.3",
                Compare(
                    quantity="best_val_loss", a=At(batch_size="smallest", lr="largest"),
                    b=At(batch_size="smallest", reduce="min"), direction="greater", scale="log_ratio", smallest=0.1,
                ),
            ),
            Claim(
                "too-slow-for-large", "A large batch at a small rate converges slowly.", "section 6.7.3",
                Compare(
                    quantity="train_loss", a=At(batch_size="largest", lr="smallest"),
                    b=At(batch_size="largest", reduce="min"), direction="greater", scale="log_ratio", smallest=0.1,
                ),
            ),
            Claim(
                "large-rate-generalises", "A larger rate generalises better: training and validation accuracy differ "
                "less.", "lecture notes 002, 3.3",
                Trend(
                    quantity=Difference(of="train_accuracy", minus="val_accuracy"), axis="lr", high=0.4,
                    direction="falls", scale="difference", smallest=0.001,
                ),
            ),
        ),
        build=_lr_batch_grid,
    ),
    Study(
        name="gradient-variance",
        title="Variance of the gradient and batch size",
        source="section 6.7.3",
        question="How does the variance of a batch's gradient depend on its size?",
        doc="At the initial weights, which are those of all batch sizes with the same seed, many batches are drawn and "
        "their gradients compared with that of all rows. For independent rows the variance is that of one row over m.",
        plots=("gradient-variance-vs-batch", "verdicts", "grad-norm-vs-batch"),
        claims=(
            Claim(
                "similar", "Gradients of 16 and of 32 samples have about the same variance.", "section 6.7.3",
                Compare(
                    quantity=AtStep(metric="grad_variance", step=0), a=At(batch_size=16), b=At(batch_size=32),
                    direction="equal", scale="log_ratio", smallest=0.2,
                ),
            ),
            Claim(
                "one-over-m", "The variance of a gradient falls as 1 / m.", "independent rows",
                Trend(
                    quantity=AtStep(metric="grad_variance", step=0), high=64, direction="flat", about=-1, smallest=0.1
                ),
            ),
            Claim(
                "one-over-m-later", "Also after training the variance falls as the batch grows.", "independent rows",
                Trend(quantity=Result(key="grad_variance"), direction="falls", smallest=0.1),
            ),
        ),
        build=_gradient_variance,
    ),
    Study(
        name="loss-smoothness",
        title="Smoothness of the training curve",
        source="lecture notes 002, 3.1",
        question="Does the loss fall more smoothly with a large batch?",
        doc="Roughness is the mean size of the change of the logarithm of the loss from one update to the next, so "
        "that neither the level of the loss nor its unit counts.",
        plots=("roughness-vs-batch", "loss-curves", "verdicts"),
        claims=(
            Claim(
                "smoother", "The larger the batch, the smoother the training curve.", "lecture notes 002, 3.1",
                Trend(quantity="mean_roughness", direction="falls", smallest=0.1),
            ),
        ),
        build=_loss_smoothness,
    ),
)  # fmt: skip
