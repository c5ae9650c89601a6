"""Studies of what a network starts from, and of what restrains it."""

from batchlab.claims import Analysed, At, Claim, Compare, Exceeds
from batchlab.studies.base import Document, Size, Study

SCHEMES = {"zero": "zeros"} | {name: name for name in ("normal", "uniform", "xavier", "kaiming", "orthogonal")}
"""Initial schemes by the names that the arms have."""


def _initialisation_and_regularisation(size: Size) -> Document:
    return {
        "dataset": {"kind": "digits"},
        "model": {"kind": "mlp", "widths": [64, 64, 64]},
        "batch_sizes": [16, 256],
        "lr": {"rule": "linear", "base": 0.02, "base_batch": 16},
        "optimizer": {"kind": "sgd"},
        "budget": {"epochs": {"smoke": 1, "small": 10, "full": 100}[size]},
        "seeds": {"smoke": 1, "small": 3, "full": 5}[size],
        "probes": [{"kind": "grad_norm"}, {"kind": "param_norm"}],
        "analyses": [{"kind": "sharpness", "measures": [{"kind": "keskar", "eps": 1e-3, "restarts": 1}]}],
        "variants": [
            *({"name": name, "init": scheme} for name, scheme in SCHEMES.items()),
            {"name": "plain"},
            {"name": "weight decay", "optimizer": {"weight_decay": 0.01}},
            {"name": "dropout", "model": {"dropout": 0.3}},
            {"name": "label smoothing", "label_smoothing": 0.1},
        ],
    }


def _better(key: str, a: str, b: str, batch_size: int) -> Compare:
    return Compare(
        quantity=key, a=At(variant=a, batch_size=batch_size), b=At(variant=b, batch_size=batch_size),
        direction="greater", smallest=0.01,
    )  # fmt: skip


STUDIES = (
    Study(
        name="initialisation-and-regularisation",
        title="Initial weights and regularisation",
        source="open questions of the survey on sharp minima",
        question="Which initial weights can be trained from, and what does regularisation change, at each batch size?",
        doc="A network of three hidden layers, at a small and a large batch with rates in proportion. Six schemes of "
        "initial weights; then, from torch's own, weight decay, dropout and label smoothing beside none of them.",
        plots=("accuracy-by-variant", "train-loss-over-epochs", "val-loss-over-epochs", "grad-norm-over-epochs"),
        claims=(
            Claim("zero-cannot-learn", "From zero weights a network with hidden layers does not learn.", "folklore",
                  Exceeds(quantity="train_accuracy", at=At(variant="zero", batch_size=16), number=0.2,
                          direction="less")),
            Claim("kaiming-beats-normal", "Weights scaled to the width (Kaiming) learn better than small normal ones.",
                  "He et al. 2015", _better("val_accuracy", "kaiming", "normal", 16)),
            Claim("xavier-beats-uniform", "Weights scaled to the width (Xavier) learn better than small uniform ones.",
                  "Glorot & Bengio 2010", _better("val_accuracy", "xavier", "uniform", 256)),
            Claim("dropout-helps", "Dropout raises the validation accuracy.", "Srivastava et al. 2014",
                  _better("val_accuracy", "dropout", "plain", 16)),
            Claim("large-is-sharper", "From the same initial weights, the large batch ends where the loss is sharper.",
                  "Keskar et al. 2017",
                  Compare(quantity=Analysed(analysis="sharpness", key="keskar_0.001"),
                          a=At(variant="plain", batch_size=256), b=At(variant="plain", batch_size=16),
                          direction="greater", scale="log_ratio", smallest=0.1)),
        ),
        build=_initialisation_and_regularisation,
    ),
)  # fmt: skip
