"""The rate for each batch size: the textbook's table, the rules, and what the linear rule holds equal."""

from typing import Any

from batchlab.claims import AtStep, Claim, Compare, Total, Trend
from batchlab.claims.evidence import At
from batchlab.studies.base import Document, Size, Study

MATCHED = {"1": 0.05, "2": 0.1, "4": 0.2, "8": 0.5, "16": 1.0, "32": 1.5, "64": 2.0, "128": 4.0}
"""Table 6.7.1: the rate for each batch size."""


def _lr_rule_vs_batch(size: Size) -> Document:
    scaled = {"base": 0.05, "base_batch": 1}
    return {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [int(entry) for entry in MATCHED],
        "lr": {"rule": "table", "values": dict(MATCHED)},
        "budget": {"epochs": {"smoke": 1, "small": 30, "full": 500}[size]},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "evaluate": {"every_steps": 7 if size == "smoke" else 80},
        "probes": [],
        "variants": [
            {"name": "matched"},
            {"name": "fixed", "lr": {"rule": "fixed", "base": 0.05, "values": None}},
            {"name": "linear", "lr": {"rule": "linear", "values": None, **scaled}},
            {"name": "sqrt", "lr": {"rule": "sqrt", "values": None, **scaled}},
            {"name": "power 0.75", "lr": {"rule": "power", "values": None, "exponent": 0.75, **scaled}},
        ],
    }


LAST_DISTANCE = AtStep(metric="distance", examples=2400)
"""How far from the start after three epochs, which all sizes see."""


def _linear_rule_equivalence(size: Size) -> Document:
    return {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [4, 8, 16, 32, 80, 160],
        "lr": {"rule": "linear", "base": 0.01, "base_batch": 4},
        "budget": {"epochs": {"smoke": 3, "small": 10, "full": 50}[size]},
        "seeds": {"smoke": 1, "small": 5, "full": 5}[size],
        "evaluate": {"every_epochs": 1},
        "probes": [{"kind": "position"}, {"kind": "update_norm"}, {"kind": "distance"}],
        "variants": [{"name": "linear"}, {"name": "fixed", "lr": {"rule": "fixed", "base": 0.01, "base_batch": None}}],
    }


def _of(variant: str, batch_size: Any = None) -> At:
    return At(variant=variant, batch_size=batch_size)


STUDIES = (
    Study(
        name="lr-rule-vs-batch",
        title="Learning rates matched to the batch size",
        source="000, table 6.7.1 and figure 6.7.5; 002",
        question="Does a rate that grows with the batch keep the best validation loss where it is?",
        doc="The textbook's rate for each batch size, against the rate 0.05 for all of them, and against three rules "
        "that start from 0.05 at batch 1. What is compared is the lowest validation loss of a run.",
        plots=("matched-rates", "val-loss-over-epochs"),
        claims=(
            Claim(
                "matched-is-flat", "With matched rates the best validation loss hardly depends on the batch size.",
                "figure 6.7.5",
                Trend(quantity="best_val_loss", at=_of("matched"), direction="flat", smallest=0.15),
            ),
            Claim(
                "fixed-is-steep", "With one rate for all, the best validation loss rises steeply with the batch size.",
                "figure 6.7.5",
                Trend(quantity="best_val_loss", at=_of("fixed"), direction="rises", smallest=0.15),
            ),
            Claim(
                "matched-is-lower", "At the largest batch the matched rate ends lower than the fixed one.",
                "figure 6.7.5",
                Compare(
                    quantity="best_val_loss", a=_of("matched", "largest"), b=_of("fixed", "largest"), direction="less",
                    scale="log_ratio", smallest=0.2,
                ),
            ),
        ),
        build=_lr_rule_vs_batch,
    ),
    Study(
        name="linear-rule-equivalence",
        title="What the linear rule holds equal",
        source="002; Goyal et al. 2017, section 2.1",
        question="Do N times the batch and N times the rate take the weights to the same place after equal samples?",
        doc="The textbook's softmax regression, whose nine numbers are recorded at every update: the weights of two "
        "runs that have seen the same rows in the same order can be compared exactly. Beside the linear rule, one rate "
        "for all.",
        plots=("weights-apart", "distance-over-examples", "train-loss-over-examples"),
        claims=(
            Claim(
                "same-distance", "Under the linear rule the weights come equally far from the start.", "002",
                Trend(quantity=LAST_DISTANCE, at=_of("linear"), direction="flat", smallest=0.05),
            ),
            Claim(
                "same-path", "Under the linear rule the norms of the updates add up to the same length.", "002",
                Trend(quantity=Total(metric="update_norm"), at=_of("linear"), direction="flat", smallest=0.05),
            ),
            Claim(
                "fixed-falls-short", "With one rate for all, large batches do not come as far.", "002",
                Trend(quantity=LAST_DISTANCE, at=_of("fixed"), direction="falls", smallest=0.05),
            ),
        ),
        build=_linear_rule_equivalence,
    ),
)  # fmt: skip
