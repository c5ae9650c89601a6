"""What the batch size costs on real data: accuracy at equal cost, who converges first; rates and overfitting."""

from batchlab.claims import At, Best, Claim, Compare, Difference, Exceeds, Trend
from batchlab.claims.regions import Direction
from batchlab.studies.base import Document, Size, Study

EPOCHS, UPDATES, LOSS = "equal epochs", "equal updates", "equal training loss"
GAP = Difference(of="train_accuracy", minus="val_accuracy")


def _accuracy_vs_batch(size: Size) -> Document:
    full = size == "full"
    large = {"dataset": {"kind": "mnist"}, "batch_sizes": [1, 10, 100, 1000, 10000, "full"]}
    few = {"dataset": {"kind": "digits"}, "batch_sizes": [1, 4, 16, 64, 256, "full"]}
    steps = {"smoke": 40, "small": 300, "full": 300}[size]
    # One by one, an epoch is over long before the loss is looked at: the smallest batch has no place among these.
    # Without it the rate can be larger, and full batches reach the loss in hundreds of updates.
    to_a_loss = {
        "batch_sizes": [10, 100, 1000, 10000, "full"] if full else [4, 16, 64, 256, "full"],
        "lr": {"base": 0.1 if full else 0.05},
        "budget": {"epochs": None, "steps": 60 if size == "smoke" else 20_000},
        "evaluate": {"every_steps": 20 if full else 5},
        "target": {"metric": "train_loss", "at_most": 0.5, "stop": True},
    }
    return (large if full else few) | {
        "model": {"kind": "mlp", "widths": [128]},
        # The largest rate, about, at which a pass over MNIST one by one still learns.
        "lr": {"rule": "fixed", "base": 0.01 if full else 0.05},
        "budget": {"epochs": {"smoke": 1, "small": 20, "full": 10}[size]},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "probes": [{"kind": "grad_norm"}],
        "variants": [
            {"name": EPOCHS},
            {"name": UPDATES, "budget": {"epochs": None, "steps": steps}, "evaluate": {"every_steps": steps // 20}},
            {"name": LOSS, **to_a_loss},
        ],
    }


def _falls(key: str) -> Trend:
    """From batch 10 on it falls by at least 0.2 points for each doubling."""
    return Trend(quantity=key, at=At(variant=EPOCHS), low=10, direction="falls", scale="difference", smallest=0.002)


def _ends(variant: str, direction: Direction, smallest: float) -> Compare:
    """The validation accuracy of the largest batch against that of the smallest."""
    a, b = At(variant=variant, batch_size="largest"), At(variant=variant, batch_size="smallest")
    return Compare(quantity="val_accuracy", a=a, b=b, direction=direction, smallest=smallest)


ONE, USUAL, ALL = "one by one", "a usual batch", "all at once"
OWN = ", a rate of its own"
RATES = {ONE: 0.005, USUAL: 0.1, ALL: 0.5}
"""The larger the batch, the larger the rate at which it still learns."""
SHORTEST: dict[str, tuple[int | str, int, int]] = {ONE: (1, 100, 400), USUAL: (16, 10, 60), ALL: ("full", 1, 30)}
SHORT: dict[str, tuple[int | str, int, int]] = {ONE: (1, 100, 30_000), USUAL: (32, 10, 3000), ALL: ("full", 1, 3000)}
LONG: dict[str, tuple[int | str, int, int]] = {ONE: (1, 200, 30_000), USUAL: (100, 10, 3000), ALL: (10_000, 2, 3000)}
"""Batch size, updates between two looks at the rows (which cost the same for all), and updates at the most."""


def _arm(batch: int | str, look: int, most: int) -> Document:
    return {"batch_sizes": [batch], "evaluate": {"every_steps": look}, "budget": {"steps": most}}


def _which_batch_converges_first(size: Size) -> Document:
    arms = {name: _arm(*arm) for name, arm in {"smoke": SHORTEST, "small": SHORT, "full": LONG}[size].items()}
    some_digits = {"kind": "digits", "take": 300} if size == "smoke" else {"kind": "digits"}
    return {
        "dataset": {"kind": "mnist", "take": 10_000} if size == "full" else some_digits,
        "model": {"kind": "mlp", "widths": [128]},
        "lr": {"rule": "fixed", "base": 0.01},
        **arms[ONE],
        "seeds": 1 if size == "smoke" else 5,
        "probes": [],
        "isolated": True,
        "target": {"metric": "val_accuracy", "at_least": 0.5 if size == "smoke" else 0.9, "stop": True},
        "variants": [
            *({"name": name, **arm} for name, arm in arms.items()),
            *({"name": name + OWN, **arm, "lr": {"base": RATES[name]}} for name, arm in arms.items()),
        ],
    }


def _sooner(quantity: str, first: str, other: str) -> Compare:
    """At least a tenth less."""
    a, b = At(variant=first), At(variant=other)
    return Compare(quantity=quantity, a=a, b=b, direction="less", scale="log_ratio", smallest=0.1)


def _lr_and_overfitting(size: Size) -> Document:
    full = size == "full"
    return {
        "dataset": {"kind": "mnist", "take": 10_000} if full else {"kind": "digits"},
        "model": {"kind": "mlp", "widths": [128]},
        "batch_sizes": [32],
        "lr": {"rule": "fixed", "base": [0.0001, 0.001, 0.01, 0.1] if size == "smoke" else
               [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]},
        "budget": {"epochs": {"smoke": 1, "small": 20, "full": 20}[size]},
        "seeds": {"smoke": 1, "small": 5, "full": 5}[size],
        "probes": [],
    }  # fmt: skip


STUDIES = (
    Study(
        name="accuracy-vs-batch",
        title="Accuracy and batch size",
        source="figure 3.11",
        question="What does a large batch cost in accuracy, and what must be equal for it to cost nothing?",
        doc="One network and one rate for every batch size: with equal epochs (hence equal examples), with equal "
        "updates, and each up to the same training loss. Where the training accuracy falls with the validation "
        "accuracy, the loss is one of optimisation, not of overfitting; what is lost at equal epochs and not at equal "
        "updates is a lack of updates. MNIST; for CIFAR-10 start it with {\"dataset\": {\"kind\": \"cifar10\"}}.",
        plots=("accuracy-vs-batch", "accuracy-at-equal-time", "accuracy-at-equal-train-loss", "train-loss-over-updates",
               "grad-norm-vs-batch", "seconds-per-epoch"),
        claims=(
            Claim(
                "train-falls", "At equal epochs the training accuracy falls for large batches.", "figure 3.11",
                _falls("train_accuracy"),
            ),
            Claim(
                "val-falls", "At equal epochs the validation accuracy falls for large batches.", "figure 3.11",
                _falls("val_accuracy"),
            ),
            Claim(
                "not-above-8000", "The batch should not be above 8000.", "notes on rates and batches, question",
                Best(quantity="val_accuracy", at=At(variant=EPOCHS), goal="max", high=8000),
            ),
            Claim(
                "updates-are-what-lacks", "After equally many updates a large batch is the more accurate one.",
                "figure 3.11, read as one of optimisation",
                _ends(UPDATES, "greater", 0.002),
            ),
            Claim(
                "no-overfitting", "At equal training loss the batch size makes no difference of a point in accuracy.",
                "figure 3.11, read as one of optimisation",
                _ends(LOSS, "equal", 0.01),
            ),
        ),
        build=_accuracy_vs_batch,
    ),
    Study(
        name="which-batch-converges-first",
        title="Which batch converges first",
        source="notes on rates and batches, question",
        question="Of 10 000 samples, batches of 1, 100 and 10 000: which converges first?",
        doc="First is asked of three clocks: seconds, updates and epochs until 90 % of the validation rows are right. "
        "At one rate for all (0.01), and with a rate for each batch (0.005, 0.1, 0.5). Each run has its machine alone, "
        "since seconds are compared.",
        plots=("val-accuracy-over-seconds", "val-accuracy-over-updates", "val-accuracy-over-epochs"),
        claims=(
            Claim(
                "usual-before-one", "A batch of 100 converges sooner than single samples.",
                "notes on rates and batches, question", _sooner("seconds_to_target", USUAL, ONE),
            ),
            Claim(
                "usual-before-all", "A batch of 100 converges sooner than all samples at once.",
                "notes on rates and batches, question", _sooner("seconds_to_target", USUAL, ALL),
            ),
            Claim(
                "usual-before-one-own-rate", "With a rate for each batch, 100 converges sooner than one by one, too.",
                "notes on rates and batches, question",
                _sooner("seconds_to_target", USUAL + OWN, ONE + OWN),
            ),
            Claim(
                "usual-before-all-own-rate", "With a rate for each batch, 100 converges sooner than all at once, too.",
                "notes on rates and batches, question",
                _sooner("seconds_to_target", USUAL + OWN, ALL + OWN),
            ),
            Claim(
                "larger-fewer-updates", "Counted in updates the larger batch converges first.",
                "notes on rates and batches, 3.1", _sooner("target_step", ALL + OWN, ONE + OWN),
            ),
            Claim(
                "smaller-fewer-epochs", "Counted in epochs the smaller batch converges first.",
                "notes on rates and batches, 3.1", _sooner("epochs_to_target", ONE + OWN, ALL + OWN),
            ),
        ),
        build=_which_batch_converges_first,
    ),
    Study(
        name="lr-and-overfitting",
        title="Rates and overfitting",
        source="notes on rates and batches, the picture of Places365",
        question="Where along the learning rate does the training accuracy pass the validation accuracy?",
        doc="Nine rates over four decades at one batch size and equally many epochs. The source saw the training "
        "accuracy start below the validation accuracy and pass it as the rate grew.",
        plots=("accuracy-vs-lr", "final-loss-vs-lr", "train-accuracy-over-epochs", "val-accuracy-over-epochs"),
        claims=(
            Claim(
                "train-rises", "The training accuracy rises with the rate.", "notes on rates and batches, initial rate",
                Trend(quantity="train_accuracy", axis="lr", high=0.1, direction="rises", scale="difference",
                      smallest=0.005),
            ),
            Claim(
                "gap-opens", "With the rate the training accuracy gains on the validation accuracy.",
                "notes on rates and batches, initial rate",
                Trend(quantity=GAP, axis="lr", high=0.1, direction="rises", scale="difference", smallest=0.001),
            ),
            Claim(
                "passes", "At a large rate the training accuracy is above the validation accuracy.",
                "notes on rates and batches, initial rate",
                Exceeds(quantity=GAP, at=At(lr=0.1), direction="greater", smallest=0.002),
            ),
            Claim(
                "starts-below", "At a small rate the training accuracy is below the validation accuracy.",
                "notes on rates and batches, initial rate",
                Exceeds(quantity=GAP, at=At(lr="smallest"), direction="less", smallest=0.002),
            ),
        ),
        build=_lr_and_overfitting,
    ),
)  # fmt: skip
