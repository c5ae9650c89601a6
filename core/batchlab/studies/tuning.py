"""Whether the advice on batch sizes is another one where training begins with trained weights."""

from batchlab.claims import At, Claim, Compare
from batchlab.claims.regions import Direction
from batchlab.studies.base import Document, Size, Study

TUNED, SCRATCH = "fine-tuned", "from scratch"
RULE = ", linear rule"
SOURCE = "notes on rates and batches, 3.1"


def _fine_tuning(size: Size) -> Document:
    linear = {"lr": {"rule": "linear", "base": 0.01, "base_batch": 32 if size == "full" else 4}}
    return (_handwriting() if size == "full" else _cleaner_labels(size)) | {
        "split_seed": 0,
        "lr": {"rule": "fixed", "base": 0.01},
        "budget": {"epochs": {"smoke": 2, "small": 20, "full": 20}[size]},
        "seeds": {"smoke": 1, "small": 5, "full": 5}[size],
        "probes": [{"kind": "grad_norm"}, {"kind": "distance"}],
        "variants": [
            {"name": TUNED},
            {"name": TUNED + RULE, **linear},
            {"name": SCRATCH, "pretraining": None},
            {"name": SCRATCH + RULE, "pretraining": None, **linear},
        ],
    }


def _cleaner_labels(size: Size) -> Document:
    """First all digits to train on, half of them with a wrong label; then a few hundred whose labels are right."""
    return {
        "dataset": {"kind": "digits", "take": 300},
        "model": {"kind": "mlp", "widths": [64]},
        "batch_sizes": [4, 64] if size == "smoke" else [4, 16, 64, 256],
        "pretraining": {
            "dataset": {"kind": "digits", "label_noise": 0.5},
            "lr": 0.05,
            "epochs": 3 if size == "smoke" else 10,
        },
    }


def _handwriting() -> Document:
    """First Japanese characters, then a few digits."""
    return {
        "dataset": {"kind": "mnist", "take": 5000},
        "model": {"kind": "cnn"},
        "batch_sizes": [8, 32, 128, 512, 2048],
        "pretraining": {"dataset": {"kind": "kmnist"}, "lr": 0.05, "momentum": 0.9, "batch_size": 128, "epochs": 5},
    }


def _larger(variant: str, direction: Direction = "greater") -> Compare:
    """The validation accuracy of the largest batch against that of the smallest: half a point or more."""
    a, b = At(variant=variant, batch_size="largest"), At(variant=variant, batch_size="smallest")
    return Compare(quantity="val_accuracy", a=a, b=b, direction=direction, smallest=0.005)


STUDIES = (
    Study(
        name="fine-tuning",
        title="Fine-tuning and batch size",
        source=SOURCE,
        question="When a trained network is fine-tuned, does a larger batch do better?",
        doc="Every run begins with the weights of one and the same pre-training, and goes on for equally many epochs "
        "at a small rate: the same for all batches, or in proportion to the batch. Beside it the same runs from drawn "
        "weights. The pre-training learns digits of which half have a wrong label; what follows are 300 of them with "
        "the right one (in full: Kuzushiji-MNIST, and then 5000 digits of MNIST). What validates is seen in neither. "
        "Between seeds, runs that are fine-tuned differ in the order of their rows alone.",
        plots=("accuracy-vs-batch", "best-val-loss-vs-batch", "val-accuracy-over-epochs", "loss-curves"),
        claims=(
            Claim(
                "larger-is-better", "When fine-tuning, a larger batch does better.", SOURCE, _larger(TUNED),
            ),
            Claim(
                "larger-is-better-by-rule", "When fine-tuning with a rate in proportion, a larger batch does better.",
                SOURCE, _larger(TUNED + RULE),
            ),
            Claim(
                "worse-from-scratch", "From scratch the larger batch does worse after equally many epochs.",
                f"{SOURCE}, read the other way round", _larger(SCRATCH, "less"),
            ),
            Claim(
                "larger-is-better-from-scratch-by-rule",
                "From scratch with a rate in proportion, a larger batch does better.",
                f"{SOURCE}, for comparison", _larger(SCRATCH + RULE),
            ),
        ),
        build=_fine_tuning,
    ),
)  # fmt: skip
