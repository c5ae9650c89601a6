"""The rate over training: its schedules, the range test that finds bounds for it, and where it starts."""

from typing import Any

from batchlab.claims import AtStep, Claim, Compare, Exceeds, Ratio
from batchlab.claims.evidence import At
from batchlab.studies.base import Document, Size, Study

DIGITS: Document = {"dataset": {"kind": "digits"}, "model": {"kind": "mlp", "widths": [64]}}
MNIST: Document = {"dataset": {"kind": "mnist"}, "model": {"kind": "mlp", "widths": [256, 256]}}


def slow_start() -> Document:
    """The rates of Akiba et al. 2017 over 90 epochs, as factors on the linear rule's rate."""
    return {
        "kind": "piecewise",
        "unit": "epochs",
        "milestones": [40.0, 70.0, 85.0],
        "values": [0.5, 0.075, 0.01, 0.001],
    }


def goyal(length: float) -> Document:
    """The recipe of Goyal et al. 2017: gradual warm-up, then a tenth at epochs 30, 60 and 80 of 90, on any length."""
    steps = {"kind": "multistep", "milestones": [30 / 90, 60 / 90, 80 / 90]}
    return {"kind": "warmup", "length": length, "start": 1 / 32, "then": steps}


SCHEDULES: dict[str, Document] = {
    "constant": {"kind": "constant"},
    "warm-up": {"kind": "warmup", "length": 0.1, "start": 0.1},
    "step": {"kind": "step", "every": 0.25, "gamma": 0.5},
    "multistep": {"kind": "multistep", "milestones": [0.5, 0.75]},
    "exponential": {"kind": "exponential"},
    "polynomial": {"kind": "polynomial", "power": 2.0},
    "cosine": {"kind": "cosine"},
    "inverse-sqrt": {"kind": "inverse_sqrt", "timescale": 0.1},
    "triangular": {"kind": "triangular", "step_size": 0.125},
    "triangular2": {"kind": "triangular2", "step_size": 0.125},
    "exp-range": {"kind": "exp_range", "step_size": 0.125, "gamma": 0.997},
    "decaying cycle": {
        "kind": "product",
        "schedules": [{"kind": "triangular", "step_size": 0.125}, {"kind": "exponential", "gamma": 0.1}],
    },
    "sgdr": {"kind": "sgdr", "period": 0.25},
    "one-cycle": {"kind": "one_cycle"},
    "slow-start": slow_start() | {"unit": "fraction", "milestones": [40 / 90, 70 / 90, 85 / 90]},
    "goyal": goyal(5 / 90),
}
"""What the study of schedules compares, by the name of its variant."""


def _schedules(size: Size) -> Document:
    return (MNIST if size == "full" else DIGITS) | {
        "batch_sizes": [128 if size == "full" else 64],
        "lr": {"rule": "fixed", "base": 0.1},
        "momentum": 0.9,
        "budget": {"epochs": {"smoke": 4, "small": 20, "full": 30}[size]},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "probes": [],
        "variants": [{"name": name, "schedule": schedule} for name, schedule in SCHEDULES.items()],
    }


def _range_test(size: Size) -> Document:
    steps = {"smoke": 100, "small": 200, "full": 500}[size]
    variants: list[dict[str, Any]] = [
        {"name": "SGD"},
        {"name": "momentum 0.9", "momentum": 0.9, "lr": {"base": 1e-5}},
        {"name": "Adam", "momentum": 0.0, "optimizer": {"kind": "adam"}, "lr": {"base": 1e-6}},
    ]
    return (MNIST if size == "full" else DIGITS) | {
        "batch_sizes": [16, 64, 256],
        "lr": {"rule": "fixed", "base": 1e-4},
        "schedule": {"kind": "range_test", "end": 1e6},
        "budget": {"steps": steps},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "evaluate": {"every_steps": steps // 50},
        "probes": [{"kind": "grad_norm"}],
        "variants": variants,
    }


def _initial_lr(size: Size) -> Document:
    return (MNIST if size == "full" else DIGITS) | {
        "batch_sizes": [64],
        "lr": {"rule": "list", "values": [0.0003, 0.01, 0.2, 3.0, 1000.0]},
        "budget": {"epochs": {"smoke": 5, "small": 20, "full": 20}[size]},
        "seeds": {"smoke": 1, "small": 5, "full": 5}[size],
        "probes": [],
    }


def _of(variant: str, batch_size: Any = None) -> At:
    return At(variant=variant, batch_size=batch_size)


STUDIES = (
    Study(
        name="schedules",
        title="Schedules of the learning rate",
        source="001, section 1; 002, on learning rates that fall and that cycle",
        question="Which course of the learning rate ends with the best network?",
        doc="One network, one first rate and equal epochs under sixteen schedules. The rates can be looked at without "
        "training; the one cycle moves the momentum with the rate.",
        plots=(
            "lr-curves", "train-loss-over-epochs", "val-loss-over-epochs", "accuracy-by-variant",
        ),
        claims=(
            Claim(
                "sgdr-is-cyclical", "Restarted cosines end about as well as cyclical rates.", "002",
                Compare(quantity="val_accuracy", a=_of("sgdr"), b=_of("triangular2"), direction="equal", smallest=0.01),
            ),
            Claim(
                "falling-helps", "A rate that falls by a tenth twice ends lower than one that stays.", "001, 002",
                Compare(
                    quantity="train_loss", a=_of("multistep"), b=_of("constant"), direction="less",
                    scale="log_ratio", smallest=0.05,
                ),
            ),
        ),
        build=_schedules,
    ),
    Study(
        name="lr-range-test",
        title="The range test of the learning rate",
        source="001, section 1; 002, on the upper and lower bound",
        question="Which rates can a network be trained with at all, by batch size and optimizer?",
        doc="The rate rises by the same factor at every update, over six powers of ten. The loss falls, then explodes. "
        "Several rules read a rate off that curve; how far they are apart is part of the answer.",
        plots=("lr-range-test", "val-accuracy-over-updates", "lr-over-updates"),
        claims=(
            Claim(
                "loss-falls-first", "As the rate rises, the loss falls at first.", "002",
                Exceeds(
                    quantity=Ratio(of=AtStep(metric="val_loss", step=0), over="best_val_loss"), at=_of("SGD"),
                    number=1.0, scale="log_ratio", smallest=0.1,
                ),
            ),
            Claim(
                "loss-rises-then", "As the rate goes on rising, the loss rises again.", "002",
                Exceeds(
                    quantity=Ratio(of="val_loss", over="best_val_loss"), at=_of("SGD"),
                    number=1.0, scale="log_ratio", smallest=0.1,
                ),
            ),
        ),
        build=_range_test,
    ),
    Study(
        name="initial-lr",
        title="The first learning rate: slow, good, plateau, divergence",
        source="001, section 1; 002, the picture of cs231n",
        question="What does a learning rate that is far too low, low, good, high or far too high look like?",
        doc="One network at five rates. Each curve is put into one of four classes by a rule that looks at the "
        "training loss alone: how it ends against the best of them, and whether it was still falling.",
        plots=("initial-lr", "accuracy-vs-lr"),
        claims=(
            Claim(
                "too-low-is-slow", "With a rate that is far too low, training converges very slowly.", "002",
                Compare(
                    quantity="train_loss", a=At(lr="smallest"), b=At(lr=0.2), direction="greater",
                    scale="log_ratio", smallest=0.5,
                ),
            ),
            Claim(
                "too-high-fails", "With a rate that is far too high, training does not converge.", "002",
                Exceeds(
                    quantity=Ratio(of="train_loss", over=AtStep(metric="train_loss", step=0)), at=At(lr="largest"),
                    number=1.0, scale="log_ratio", smallest=0.1,
                ),
            ),
        ),
        build=_initial_lr,
    ),
)  # fmt: skip
