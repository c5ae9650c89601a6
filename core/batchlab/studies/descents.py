"""Regressions of a few rows and one or two parameters, in which each step can be followed."""

from typing import Any

from batchlab.claims import At, AtStep, Claim, Compare, Diverges, Exceeds
from batchlab.studies.base import Document, Size, Study

EXACT = 5e-4
"""What rounding to three decimals may change."""


def _exactly(quantity: Any, at: At, number: float) -> Exceeds:
    return Exceeds(quantity=quantity, at=at, number=number, direction="equal", smallest=EXACT)


WEIGHT, FINAL = "param/linear.weight", "final_param/linear.weight"
ONE_BATCH, RAISED, PARTS = "one batch of six", "one batch of six, rate 0.185", "two batches of three"


def _worked_example(size: Size) -> Document:
    arm = {"budget": {"steps": 1}, "batch_sizes": [6]}
    return {
        "dataset": {"kind": "inline", "x": [[-2.0], [0.0], [2.0], [-1.0], [1.0], [1.5]], "y": [0.0] * 6},
        "model": {"kind": "linear", "bias": False},
        "init": "ones",
        "batch_sizes": [3],
        "shuffle": "never",
        "lr": {"rule": "fixed", "base": 0.1},
        "budget": {"steps": 2},
        "seeds": 1 if size == "smoke" else 3,
        "evaluate": {"every_steps": 1},
        "probes": [{"kind": "position"}, {"kind": "momentum_parts"}, {"kind": "grad_norm"}],
        "precision": "float64",
        "variants": [
            {"name": PARTS},
            {"name": ONE_BATCH, **arm},
            {"name": RAISED, "lr": {"base": 0.185}, **arm},
        ],
    }


def _batch_vs_single(size: Size) -> Document:
    return {
        "dataset": {"kind": "linear_regression", "rows": 20, "features": 1, "noise": 0.5, "validation": "train"},
        "model": {"kind": "linear"},
        "batch_sizes": [1, "full"],
        "lr": {"rule": "fixed", "base": 0.1},
        "budget": {"epochs": 5 if size == "smoke" else 20},
        "seeds": 1 if size == "smoke" else 5,
        "probes": [{"kind": "position"}, {"kind": "momentum_parts"}, {"kind": "grad_norm"}],
        "variants": [
            {"name": "reshuffled every epoch", "shuffle": "epoch"},
            {"name": "shuffled once", "shuffle": "once"},
            {"name": "never shuffled", "shuffle": "never"},
        ],
    }


STILL = "at the same weights"


def _sum_or_mean(size: Size) -> Document:
    return {
        "dataset": {"kind": "linear_regression", "rows": 256, "features": 5, "validation": "train"},
        "model": {"kind": "linear"},
        "batch_sizes": [1, 4, 16, 64, "full"],
        "lr": {"rule": "fixed", "base": 0.1},
        "budget": {"steps": 60 if size == "smoke" else 256},
        "seeds": 1 if size == "smoke" else 5,
        "evaluate": {"every_steps": 20},
        "probes": [{"kind": "grad_norm"}, {"kind": "update_norm"}],
        "variants": [
            {"name": "mean"},
            {"name": "sum", "reduction": "sum"},
            {
                "name": STILL,
                "lr": {"base": 1e-12},
                "budget": {"epochs": 1, "steps": None},
                "evaluate": {"every_steps": 1},
            },
        ],
    }


STUDIES = (
    Study(
        name="worked-example",
        title="Six rows, by hand",
        source="equations 6.7.2 to 6.7.4",
        question="Where do two batches of three rows lead, and where one batch of all six?",
        doc="A line through the origin is fitted to y = 0 from w = 1, with half the squared error, rows in their order "
        "and the rate 0.1. Each batch's gradient is w times the mean of the squares of its x. Two small batches come "
        "nearer to 0 than one large batch at the same rate; at the rate 0.185 the large one comes as far.",
        plots=("worked-example",),
        claims=(
            Claim("first-batch", "After the batch -2, 0, 2 the weight is 0.733.", "equation 6.7.2",
                  _exactly(AtStep(metric=WEIGHT, step=2), At(variant=PARTS), 0.7333)),
            Claim("second-batch", "After the batch -1, 1, 1.5 it is 0.629.", "equation 6.7.3",
                  _exactly(FINAL, At(variant=PARTS), 0.6294)),
            Claim("one-batch", "After one batch of all six rows it is 0.796.", "equation 6.7.4",
                  _exactly(FINAL, At(variant=ONE_BATCH), 0.7958)),
            Claim("raised-rate", "At the rate 0.185 one batch of all six leads to 0.622.", "section 6.7.3",
                  _exactly(FINAL, At(variant=RAISED), 0.6223)),
        ),
        build=_worked_example,
    ),
    Study(
        name="batch-vs-single",
        title="Twenty samples, all at once or one by one",
        source="figure 3.8",
        question="How do twenty updates an epoch, each from one sample, compare with one from all twenty?",
        doc="A line is fitted to twenty points. The full batch makes one update an epoch, straight downhill; single "
        "samples make twenty, in a zig-zag. The order of the rows is new in every epoch, drawn once, or as they come.",
        plots=("paths", "train-loss-over-epochs"),
        claims=(
            Claim("twenty-updates", "Single samples make twenty updates where the full batch makes one.", "figure 3.8",
                  Compare(quantity="updates", a=At(variant="never shuffled", batch_size=1),
                          b=At(variant="never shuffled", batch_size="full"), direction="greater", scale="log_ratio",
                          smallest=2.5)),
            Claim("further-in-one-epoch", "After one epoch the loss is lower one by one than with the full batch.",
                  "figure 3.8",
                  Compare(quantity=AtStep(metric="train_loss", examples=20),
                          a=At(variant="reshuffled every epoch", batch_size=1),
                          b=At(variant="reshuffled every epoch", batch_size="full"), direction="less",
                          scale="log_ratio", smallest=0.1)),
        ),
        build=_batch_vs_single,
    ),
    Study(
        name="sum-or-mean",
        title="Sum or mean over the batch",
        source="section 6.7.2, figure 6.7.4",
        question="What changes when a batch's gradients are added up instead of averaged?",
        doc="Linear regression at one rate. Summed gradients grow with the batch, so that the rate of a single row is "
        "too large for a batch. In the third arm nothing is learnt, so that all gradients are taken at the same "
        "weights: the mean of the norms of the parts is at least the norm of the whole batch's gradient.",
        plots=("grad-norm-vs-batch", "loss-over-updates"),
        claims=(
            Claim("sum-explodes", "Summed over the full batch, training diverges at the rate of single rows.",
                  "figure 6.7.4", Diverges(at=At(variant="sum", batch_size="full"))),
            Claim("mean-holds", "Averaged over the full batch, it learns at the same rate.", "figure 6.7.4",
                  Exceeds(quantity="train_loss", at=At(variant="mean", batch_size="full"), number=0.5,
                          direction="less")),
            Claim("parts-are-longer", "The mean norm of single gradients exceeds the norm of their mean.",
                  "section 6.7.2",
                  Compare(quantity="mean_grad_norm", a=At(variant=STILL, batch_size=1),
                          b=At(variant=STILL, batch_size="full"), direction="greater", scale="log_ratio",
                          smallest=0.05)),
        ),
        build=_sum_or_mean,
    ),
)  # fmt: skip
