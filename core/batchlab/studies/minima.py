"""What the minimum looks like: flat or sharp, connected or apart, with shortcuts and without."""

import math
from typing import Any

from batchlab.claims import At, Claim, Compare, Difference, Exceeds
from batchlab.claims.quantities import Analysed
from batchlab.studies.base import Document, Size, Study

ADAM = {"optimizer": {"kind": "adam"}, "lr": {"rule": "fixed", "base": 0.001}}
"""As in Keskar et al. 2017: torch's numbers, the same rate for both batches."""
DISTANCE = [{"kind": "grad_norm"}, {"kind": "distance"}]
SHARPNESS = Analysed(analysis="sharpness", key="keskar_0.001")
CURVATURE = Analysed(analysis="eigenvalues", key="lambda_max")
SMALL, LARGE = At(batch_size="smallest"), At(batch_size="largest")
RISE = Difference(of="val_loss", minus="best_val_loss")
"""A measurable overfitting: how far the validation loss has risen from its minimum at the end of training."""
NATS = 0.01
"""The smallest difference of losses that matters here."""
POINT = 0.005
"""Half a point of accuracy."""


def _sharpness(size: Size) -> Document:
    """Keskar's measure, full space, both widths of the box; on the same rows for every cell."""
    rows = {"smoke": 100, "small": 500, "full": 10_000}[size]
    search = {"restarts": 1, "iterations": 3} if size == "smoke" else {"restarts": 2, "iterations": 10}
    measures = [{"kind": "keskar", "eps": eps, **search} for eps in (1e-3, 5e-4)]
    return {"kind": "sharpness", "rows": rows, "measures": measures[: 1 if size == "smoke" else 2]}


def _eigenvalues(size: Size) -> Document:
    rows, steps = {"smoke": (100, 10), "small": (500, 40), "full": (10_000, 100)}[size]
    return {"kind": "eigenvalues", "rows": rows, "steps": steps, "tolerance": 1e-2}


def _flat_vs_sharp(size: Size) -> Document:
    points, rows = {"smoke": (7, 100), "small": (25, 500), "full": (25, 10_000)}[size]
    return {
        **ADAM,
        "dataset": {"kind": "mnist" if size == "full" else "digits"},
        "model": {"kind": "keskar", "network": "F1"} if size == "full" else {"kind": "mlp", "widths": [32, 32]},
        "batch_sizes": [256 if size == "full" else 16, "10%"],
        "budget": {"epochs": {"smoke": 2, "small": 60, "full": 50}[size]},
        "evaluate": {"every_epochs": {"smoke": 1, "small": 10, "full": 5}[size]},
        "seeds": 1 if size == "smoke" else 5,
        "probes": DISTANCE,
        "analyses": [
            _sharpness(size),
            _eigenvalues(size),
            {"kind": "interpolation", "points": points, "rows": rows},
        ],
    }


def _keskar(size: Size) -> Document:
    return {
        **ADAM,
        "dataset": {"kind": "digits"},
        "model": {"kind": "softmax"},
        "batch_sizes": [256 if size == "full" else 16, "10%"],
        "budget": {"epochs": {"smoke": 2, "small": 30, "full": 100}[size]},
        "evaluate": {"every_epochs": 1 if size == "smoke" else 5},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "probes": DISTANCE,
        "analyses": [_sharpness(size)],
        "variants": _networks() if size == "full" else _small_networks(),
    }


def _networks() -> list[Document]:
    """The source's networks on its data; F2 needs TIMIT, which is to be added as data of one's own."""
    data = {"F1": "mnist", "C1": "cifar10", "C2": "cifar10", "C3": "cifar100", "C4": "cifar100"}
    return [
        {"name": name, "dataset": {"kind": kind}, "model": {"kind": "keskar", "network": name}}
        for name, kind in data.items()
    ]


def _small_networks() -> list[Document]:
    """Their kin for pictures of 8 x 8: batch-normalised, dense and convolutional."""
    norm = {"kind": "batch"}
    return [
        {"name": "dense, as F1", "model": {"kind": "mlp", "widths": [32] * 5, "norm": norm}},
        {"name": "convolutional, as C1", "model": {"kind": "cnn", "channels": [4, 8], "width": 32, "norm": norm}},
    ]


def _flat_paths(size: Size) -> Document:
    updates, points, rows = {"smoke": (30, 9, 200), "small": (1500, 31, 1000), "full": (4000, 61, 10_000)}[size]
    return {
        "dataset": {"kind": "mnist" if size == "full" else "digits"},
        "model": {"kind": "mlp", "widths": [256, 256] if size == "full" else [32, 32]},
        "batch_sizes": [128 if size == "full" else 32],
        "lr": {"rule": "fixed", "base": 0.1},
        "momentum": 0.9,
        "budget": {"epochs": {"smoke": 2, "small": 30, "full": 20}[size]},
        "evaluate": {"every_epochs": {"smoke": 1, "small": 5, "full": 5}[size]},
        "seeds": 2 if size == "smoke" else 6,
        "probes": [],
        "analyses": [{"kind": "connecting_path", "updates": updates, "points": points, "rows": rows}],
    }


def _skip_connections(size: Size) -> Document:
    deep, width = {"smoke": (14, 2), "small": (32, 4), "full": (56, 16)}[size]
    points, rows = {"smoke": (5, 64), "small": (11, 256), "full": (21, 512)}[size]
    return {
        "dataset": {"kind": "cifar10" if size == "full" else "digits"},
        "model": {"kind": "resnet", "depth": 20, "width": width},
        "batch_sizes": [128 if size == "full" else 64],
        "lr": {"rule": "fixed", "base": 0.1 if size == "full" else 0.05},
        "momentum": 0.9,
        "budget": {"epochs": {"smoke": 1, "small": 5, "full": 100}[size]},
        "evaluate": {"every_epochs": 1 if size != "full" else 10},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "probes": [{"kind": "grad_norm"}],
        "analyses": [
            {"kind": "landscape", "points": points, "rows": rows},
            {"kind": "eigenvalues", "rows": rows, "steps": {"smoke": 6, "small": 20, "full": 60}[size],
             "tolerance": 1e-2},
        ],
        "variants": [
            {"name": "shallow", "model": {"depth": 8}},
            {"name": "shallow, without shortcuts", "model": {"depth": 8, "shortcuts": "none"}},
            {"name": "deep", "model": {"depth": deep}},
            {"name": "deep, without shortcuts", "model": {"depth": deep, "shortcuts": "none"}},
        ],
    }  # fmt: skip


def _large_against_small(quantity: Any, direction: Any, smallest: float, **scale: Any) -> Compare:
    return Compare(quantity=quantity, a=LARGE, b=SMALL, direction=direction, smallest=smallest, **scale)


def _without(quantity: Any, smallest: float, **scale: Any) -> Compare:
    """More of it in the deep network without shortcuts."""
    a, b = At(variant="deep, without shortcuts"), At(variant="deep")
    return Compare(quantity=quantity, a=a, b=b, direction="greater", smallest=smallest, **scale)


_PAPER = "Keskar et al. 2017"
STUDIES = (
    Study(
        name="flat-vs-sharp",
        title="A flat and a sharp minimum of one network",
        source="Keskar et al. 2017, figures 3 and 4; figures 6.7.7 and 3.13 of the textbooks",
        question="Does a large batch end in a sharper minimum than a small one?",
        doc="One network trained by a small batch and by a tenth of the data, from the same initial weights: the "
        "sharpness and the largest curvature at both ends, and both losses on the line through them.",
        plots=("interpolation", "sharpness-vs-batch", "curvature-vs-batch", "accuracy-vs-batch"),
        claims=(
            Claim("sharper", "The large batch ends in the sharper minimum", _PAPER,
                  _large_against_small(SHARPNESS, "greater", math.log(1.5), scale="log_ratio")),
            Claim("more-curved", "The largest curvature is larger there", _PAPER,
                  _large_against_small(CURVATURE, "greater", math.log(1.5), scale="log_ratio")),
            Claim("generalises-worse", "The large batch generalises worse", _PAPER,
                  _large_against_small("val_accuracy", "less", POINT)),
        ),
        build=_flat_vs_sharp,
    ),
    Study(
        name="keskar",
        title="On large-batch training: generalisation gap and sharp minima",
        source="Keskar et al. 2017, tables 1 to 3",
        question="With equal training accuracy, does the large batch test worse, and is its minimum sharper?",
        doc="Networks of the paper with ADAM, 256 rows against a tenth of the data. F2 wants TIMIT: add it as data of "
        "your own and a variant that names it. What the sources call overfitting is measured: whether the validation "
        "loss ends above its minimum.",
        plots=("sharpness-vs-batch", "accuracy-vs-batch", "val-loss-over-epochs"),
        claims=(
            Claim("equal-training", "Both batches train equally well", "Keskar et al. 2017, table 2",
                  _large_against_small("train_accuracy", "equal", 0.02)),
            Claim("generalises-worse", "The large batch tests worse", "Keskar et al. 2017, table 2",
                  _large_against_small("val_accuracy", "less", POINT)),
            Claim("sharper", "The large batch ends in a much sharper minimum", "Keskar et al. 2017, table 3",
                  _large_against_small(SHARPNESS, "greater", math.log(2.0), scale="log_ratio")),
            Claim("stays-near", "The large batch stays nearer to its initial weights (on average over its run)",
                  "Keskar et al. 2017, section 2", _large_against_small("mean_distance", "less", 0.0)),
            Claim("no-overfitting", "The gap is not due to overfitting", "Keskar et al. 2017, section 2",
                  Exceeds(quantity=RISE, at=LARGE, direction="equal", smallest=NATS)),
            Claim("overfitting", "The gap is due to overfitting", "the textbooks",
                  Exceeds(quantity=RISE, at=LARGE, direction="greater", smallest=NATS)),
        ),
        build=_keskar,
    ),
    Study(
        name="flat-paths",
        title="A path without a barrier between two solutions",
        source="Garipov et al. 2018; Draxler et al. 2018",
        question="Are two independently trained solutions separated by a barrier, or connected by a valley?",
        doc="Networks that differ in nothing but their seed: the loss on the straight line between two of them, and on "
        "a curve between the same two whose bend was trained to stay low.",
        plots=("connecting-path",),
        claims=(
            Claim("straight-barrier", "There is a barrier on the straight line", "Garipov et al. 2018",
                  Exceeds(quantity=Analysed(analysis="connecting_path", key="straight_barrier"), smallest=0.1)),
            Claim("no-barrier", "There is next to none on the optimised path", "Garipov et al. 2018",
                  Exceeds(quantity=Analysed(analysis="connecting_path", key="barrier"), direction="equal",
                          smallest=0.1)),
        ),
        build=_flat_paths,
    ),
    Study(
        name="skip-connections",
        title="Residual networks with and without shortcuts",
        source="Li et al. 2018, figures 1 and 5",
        question="What do shortcuts do to the landscape and to training, and does it depend on the depth?",
        doc="The same residual network at two depths, with its shortcuts and without: the filter-normalised landscape "
        "around each solution on the same axes, the ratio of the smallest to the largest curvature, the final losses.",
        plots=("landscape", "accuracy-by-variant"),
        claims=(
            Claim("trains-worse", "Without shortcuts the deep network trains worse", "Li et al. 2018, figure 5",
                  _without("train_loss", NATS)),
            Claim("less-convex", "Without shortcuts the curvature is less convex", "Li et al. 2018, figure 7",
                  _without(Analysed(analysis="eigenvalues", key="ratio"), 0.0)),
        ),
        build=_skip_connections,
    ),
)  # fmt: skip
