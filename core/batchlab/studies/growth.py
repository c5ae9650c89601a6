"""The batch size over training: grown instead of a falling rate, and small at first."""

from typing import Any

from batchlab.claims import Claim, Compare
from batchlab.claims.evidence import At
from batchlab.studies.base import Document, Size, Study

DIGITS: Document = {"dataset": {"kind": "digits"}, "model": {"kind": "mlp", "widths": [64]}}
CIFAR: Document = {"dataset": {"kind": "cifar10"}, "model": {"kind": "resnet", "depth": 20}}


FALLING: Document = {"kind": "multistep", "milestones": [0.3, 0.6, 0.8], "gamma": 0.2}
"""Smith et al. 2018 on CIFAR-10: by 5 at epochs 60, 120 and 160 of 200."""


def _grow_the_batch(size: Size) -> Document:
    growing = {"kind": "instead_of_decay", "schedule": FALLING}
    net = CIFAR if size == "full" else DIGITS
    return net | {
        "batch_sizes": [128 if size == "full" else 16],
        "lr": {"rule": "fixed", "base": 0.1 if size == "full" else 0.02},
        "momentum": 0.9,
        "optimizer": {"kind": "sgd", "nesterov": True, "weight_decay": 5e-4},
        "budget": {"epochs": {"smoke": 10, "small": 30, "full": 200}[size]},
        "seeds": {"smoke": 1, "small": 5, "full": 5}[size],
        "probes": [],
        "variants": [
            {"name": "decay the rate", "schedule": FALLING},
            {"name": "grow the batch", "batch_schedule": growing},
            {"name": "grow, then decay", "batch_schedule": growing | {"maximum": 0.1}},
        ],
    }


def _batch_warm_up(size: Size) -> Document:
    small, large = (256, 5000) if size == "full" else (16, 320)
    first = {"kind": "warmup", "start": small / large}
    warmed = [{"name": f"{share:.0%} small", "batch_schedule": first | {"length": share}} for share in (0.1, 0.3, 0.5)]
    return (CIFAR if size == "full" else DIGITS) | {
        "batch_sizes": [large],
        "lr": {"rule": "fixed", "base": 0.001},
        "optimizer": {"kind": "adam"},
        "budget": {"epochs": {"smoke": 10, "small": 30, "full": 100}[size]},
        "seeds": {"smoke": 1, "small": 5, "full": 5}[size],
        "probes": [{"kind": "grad_norm"}],
        "variants": [{"name": "all small", "batch_sizes": [small]}, *warmed, {"name": "all large"}],
    }


def _of(variant: str, batch_size: Any = None) -> At:
    return At(variant=variant, batch_size=batch_size)


STUDIES = (
    Study(
        name="grow-the-batch",
        title="Do not decay the rate: grow the batch",
        source="002; Smith et al. 2018",
        question="Is growing the batch the same as lowering the rate, in fewer updates?",
        doc="Where one arm divides the rate by five, another multiplies the batch by five, and a third does so up to a "
        "tenth of the training rows and then lowers the rate. The rate over the batch size, hence the noise of a step, "
        "is the same in all of them after equal rows.",
        plots=(
            "grow-the-batch", "batch-size-over-epochs", "val-loss-over-epochs", "val-loss-over-updates",
            "accuracy-by-variant",
        ),
        claims=(
            Claim(
                "fewer-updates", "Growing the batch takes far fewer updates.", "Smith et al. 2018",
                Compare(
                    quantity="updates", a=_of("grow the batch"), b=_of("decay the rate"), direction="less",
                    scale="log_ratio", smallest=0.5,
                ),
            ),
            Claim(
                "same-accuracy", "Growing the batch ends with the same validation accuracy.", "Smith et al. 2018",
                Compare(
                    quantity="val_accuracy", a=_of("grow the batch"), b=_of("decay the rate"), direction="equal",
                    smallest=0.01,
                ),
            ),
            Claim(
                "same-loss", "Growing the batch ends with the same training loss.", "Smith et al. 2018",
                Compare(
                    quantity="train_loss", a=_of("grow the batch"), b=_of("decay the rate"), direction="equal",
                    scale="log_ratio", smallest=0.2,
                ),
            ),
        ),
        build=_grow_the_batch,
    ),
    Study(
        name="batch-warm-up",
        title="Small batches first, then large ones",
        source="001, section 2; Keskar et al. 2017, section 4",
        question="How much of what a large batch costs does a start with small batches save?",
        doc="The same network with small batches throughout, with large ones throughout, and with small ones for the "
        "first tenth, three tenths and half of the rows. At equal epochs a start with small batches also means more "
        "updates.",
        plots=("accuracy-by-variant", "batch-size-over-epochs", "val-accuracy-over-epochs", "val-loss-over-updates"),
        claims=(
            Claim(
                "large-costs", "Large batches throughout end with a lower validation accuracy than small ones.", "001",
                Compare(
                    quantity="val_accuracy", a=_of("all large"), b=_of("all small"), direction="less", smallest=0.005,
                ),
            ),
            Claim(
                "warm-up-helps", "Small batches in the first half win back a part of it.", "001",
                Compare(
                    quantity="val_accuracy", a=_of("50% small"), b=_of("all large"), direction="greater",
                    smallest=0.005,
                ),
            ),
        ),
        build=_batch_warm_up,
    ),
)  # fmt: skip
