"""Optimizers, recipes for large batches, and what may be tried against the gap that they leave."""

from typing import Any

from batchlab.claims import At, Claim, Compare, Difference, Exceeds, Explains
from batchlab.studies.base import Document, Size, Study

ADAPTIVE: tuple[Document, ...] = (
    {"name": "SGD", "optimizer": {"kind": "sgd"}, "momentum": 0.0},
    {"name": "momentum", "optimizer": {"kind": "sgd"}, "momentum": 0.9},
    {"name": "Nesterov", "optimizer": {"kind": "sgd", "nesterov": True}, "momentum": 0.9},
    {"name": "Adagrad", "optimizer": {"kind": "adagrad"}},
    {"name": "RMSprop", "optimizer": {"kind": "rmsprop"}},
    {"name": "Adam", "optimizer": {"kind": "adam"}},
    {"name": "AdamW", "optimizer": {"kind": "adamw"}},
)


def _adaptive(size: Size) -> Document:
    rates = {
        "smoke": [0.01, 0.1],
        "small": [0.001, 0.01, 0.1, 1.0],
        "full": [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0],
    }
    return {
        "dataset": {"kind": "mnist" if size == "full" else "digits"},
        "model": {"kind": "mlp", "widths": [128 if size == "full" else 64]},
        "batch_sizes": {"smoke": [128, 512], "small": [16, 256], "full": [16, 128, 1024]}[size],
        "lr": {"rule": "list", "values": rates[size]},
        "budget": {"epochs": {"smoke": 1, "small": 6, "full": 5}[size]},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "probes": [],
        "variants": list(ADAPTIVE),
    }


def _recipes(size: Size) -> Document:
    small, rate, epochs = (128, 0.1, 60) if size == "full" else (16, 0.02, 2 if size == "smoke" else 12)
    large = 4096 if size == "full" else 256
    network = {"kind": "resnet", "depth": 20} if size == "full" else {"kind": "mlp", "widths": [64]}
    return {
        "dataset": {"kind": "cifar10" if size == "full" else "digits"},
        "model": network,
        "batch_sizes": [large],
        "lr": {"rule": "fixed", "base": rate},
        "momentum": 0.9,
        "budget": {"epochs": epochs},
        "seeds": 1 if size == "smoke" else 5,
        "evaluate": {"every_epochs": max(1, epochs // 10)},
        "probes": [],
        "variants": _recipe_arms(small, large, rate, epochs),
    }


def _recipe_arms(small: int, large: int, rate: float, epochs: int) -> list[Document]:
    """Plain SGD at both batches, then each recipe at the large one. Lengths are fractions of the run."""
    factor = large / small
    linear = {"rule": "linear", "base": rate, "base_batch": small}
    return [
        {"name": "small batch", "batch_sizes": [small]},
        {"name": "large batch"},
        {"name": "linear scaling", "lr": linear},
        {"name": "linear scaling, warm-up", "lr": linear, "schedule": _warm(1 / factor)},
        {"name": "LARS", "optimizer": {"kind": "lars"}, "lr": {"rule": "fixed", "base": 30.0},
         "schedule": _warm(0.0, {"kind": "polynomial", "power": 2.0})},
        {"name": "LAMB", "optimizer": {"kind": "lamb"}, "momentum": 0.0, "lr": {"rule": "fixed", "base": 0.1},
         "schedule": _warm(0.0, {"kind": "polynomial"})},
        # Akiba et al. 2017: 90 epochs, the ramp around the tenth; rates by the linear rule, times the slow start's.
        {"name": "RMSprop warm-up", "lr": {**linear, "base": 2 * rate},
         "optimizer": {"kind": "rmsprop_warmup", "center": epochs / 9, "period": epochs / 18},
         "schedule": {"kind": "piecewise", "milestones": [40 / 90, 70 / 90, 85 / 90],
                      "values": [0.5, 0.075, 0.01, 0.001]}},
        {"name": "SWAP", "lr": linear, "batch_schedule": {"kind": "steps", "milestones": [0.6], "sizes": [small]},
         "schedule": _warm(1 / factor, {"kind": "piecewise", "milestones": [0.6], "values": [1.0, 1 / factor]}),
         "average": {"kind": "swap", "start": 0.6, "members": 4}},
    ]  # fmt: skip


def _warm(start: float, then: Document | None = None) -> Document:
    """A gradual warm-up over a sixth of the run."""
    return {"kind": "warmup", "length": 1 / 6, "start": start, "then": then or {"kind": "constant"}}


def _mitigations(size: Size) -> Document:
    small, large, rate = (256, 5000, 0.05) if size == "full" else (16, 256, 0.02)
    pictures = (
        [{"kind": "crop", "padding": 4}, {"kind": "flip"}] if size == "full" else [{"kind": "crop", "padding": 1}]
    )
    network = {"kind": "cnn", "channels": [32, 64], "width": 128}
    return {
        "dataset": {"kind": "cifar10" if size == "full" else "digits"},
        "model": network if size == "full" else {"kind": "cnn", "channels": [8, 16], "width": 32},
        "batch_sizes": [large],
        "lr": {"rule": "fixed", "base": rate},
        "momentum": 0.9,
        "budget": {"epochs": {"smoke": 1, "small": 20, "full": 100}[size]},
        "seeds": 1 if size == "smoke" else 5,
        "evaluate": {"every_epochs": {"smoke": 1, "small": 5, "full": 10}[size]},
        "probes": [],
        "variants": [
            {"name": "small batch", "batch_sizes": [small]},
            {"name": "large batch"},
            {"name": "augmented", "augment": pictures},
            {"name": "conservative", "proximal": {"strength": 0.1, "inner": 3}},
            {"name": "adversarial", "adversarial": {"kind": "fgsm", "epsilon": 0.1}},
            {"name": "stable under noise", "adversarial": {"kind": "stability", "sigma": 0.1, "weight": 0.1}},
            {"name": "SAM", "optimizer": {"kind": "sam", "rho": 0.05}},
            {"name": "ASAM", "optimizer": {"kind": "asam", "rho": 0.2}},
        ],
    }


POINT = 0.005
"""Half a point of accuracy: the smallest difference that matters here."""


def _better(variant: str, than: str = "large batch", smallest: float = POINT) -> Compare:
    """The final validation accuracy of one variant above that of another, paired by seed."""
    return Compare(
        quantity="val_accuracy", a=At(variant=variant), b=At(variant=than), direction="greater", smallest=smallest
    )


def _claims(source: str, *claims: tuple[str, str, Any]) -> tuple[Claim, ...]:
    return tuple(Claim(id_, text, source, test) for id_, text, test in claims)


STUDIES = (
    Study(
        name="adaptive-methods",
        title="Adaptive methods",
        source="lecture notes on learning rate and batch size: adaptive methods",
        question="How sensitive is each optimizer to the learning rate and to the batch size?",
        doc="Seven optimizers at the same batch sizes and the same rates. The best rate of an optimizer that divides "
        "by the size of the gradient is not that of SGD: look at each line's height and width, not at one rate.",
        plots=("accuracy-by-variant", "accuracy-vs-lr", "final-loss-by-variant"),
        claims=_claims(
            "lecture notes on learning rate and batch size, 3.3",
            *(
                (
                    f"rate-before-batch-{name.lower()}",
                    f"With {name}, accuracy depends less on the batch size than on the learning rate.",
                    Explains(quantity="val_accuracy", more="lr", less="batch_size", at=At(variant=name)),
                )
                for name in ("SGD", "momentum", "Adam")
            ),
        ),
        build=_adaptive,
    ),
    Study(
        name="large-batch-recipes",
        title="Recipes for large batches",
        source="Goyal 2017; You 2017, 2020; Akiba 2017; Gupta 2020",
        question="Which recipe gives a large batch what a small one gets at equal epochs?",
        doc="Plain SGD with a small and with a large batch at one rate, and beside them each recipe at the large "
        "batch: the linear rule with and without a gradual warm-up, LARS, LAMB, RMSprop warm-up with a slow start, and "
        "SWAP, whose four members, trained with small batches, are averaged. Its members train one after another: its "
        "epochs are those of all of them, where machines side by side would need fewer.",
        plots=("accuracy-by-variant", "final-loss-by-variant", "train-loss-over-epochs", "val-loss-over-epochs"),
        claims=_claims(
            "the recipes' papers; lecture notes, figures 3.9 to 3.13",
            ("plain-loses", "At one rate and equal epochs a large batch ends with a lower accuracy than a small one.",
             _better("small batch")),
            ("linear-scaling-helps", "The linear rule wins back accuracy.", _better("linear scaling")),
            ("warm-up-helps", "With a gradual warm-up the linear rule does better than without.",
             _better("linear scaling, warm-up", "linear scaling", 0.0)),
            ("lars-helps", "LARS does better than plain SGD at the same large batch.", _better("LARS")),
            ("lamb-helps", "LAMB does better than plain SGD at the same large batch.", _better("LAMB")),
            ("rmsprop-warm-up-helps", "RMSprop warm-up does better than plain SGD at the same large batch.",
             _better("RMSprop warm-up")),
            ("swap-helps", "SWAP does better than plain SGD at the same large batch.", _better("SWAP")),
            ("average-beats-members", "The average of SWAP's members is more accurate than they are on average.",
             Exceeds(
                 quantity=Difference(of="val_accuracy", minus="members_val_accuracy"), at=At(variant="SWAP"),
             )),
        ),
        build=_recipes,
    ),
    Study(
        name="mitigations",
        title="Against the gap of large batches",
        source="lecture notes on sharp minima; Keskar 2017, section 4",
        question="What closes the gap between large and small batches?",
        doc="Plain SGD with a small and a large batch at one rate, and beside them, at the large batch, data "
        "augmentation, conservative training (three steps on each batch, held near its start), adversarial training by "
        "the sign of the gradient, stability under noise, SAM and ASAM. All have equal epochs; conservative training "
        "takes three gradients an update, SAM and ASAM two, the adversaries two passes.",
        plots=("accuracy-by-variant", "final-loss-by-variant", "val-loss-over-epochs"),
        claims=_claims(
            "Keskar 2017, section 4; lecture notes on sharp minima",
            ("gap", "A large batch ends with a lower validation accuracy than a small one.", _better("small batch")),
            ("augmented", "Data augmentation raises the large batch's validation accuracy.", _better("augmented")),
            ("conservative", "Conservative training raises the large batch's validation accuracy.",
             _better("conservative")),
            ("adversarial", "Adversarial training raises the large batch's validation accuracy.",
             _better("adversarial")),
            ("sam", "Sharpness-aware minimisation raises the large batch's validation accuracy.", _better("SAM")),
        ),
        build=_mitigations,
    ),
)  # fmt: skip
