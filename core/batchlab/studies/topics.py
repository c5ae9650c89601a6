"""What the studies are about: a study is found under its topic."""

TOPICS: dict[str, tuple[str, ...]] = {
    "gradients and noise": (
        *("grad-norm-vs-batch", "worked-example", "sum-or-mean", "gradient-variance", "loss-smoothness"),
        *("batch-vs-single", "saddle-full-vs-mini"),
    ),
    "time": ("time-per-update", "which-batch-converges-first", "small-vs-large-table"),
    "learning rates": (
        *("lr-rule-vs-batch", "lr-range-test", "initial-lr", "lr-and-overfitting", "lr-batch-grid"),
        *("linear-rule-equivalence", "schedules"),
    ),
    "momentum and optimizers": ("momentum", "adaptive-methods"),
    "large batches": ("accuracy-vs-batch", "large-batch-recipes", "mitigations", "batch-warm-up", "grow-the-batch"),
    "minima and curvature": (
        *("keskar", "flat-vs-sharp", "flat-paths", "skip-connections", "initialisation-and-regularisation"),
        "fine-tuning",
    ),
}
"""Topic -> names of studies, in the order in which a gallery shows them."""
OTHER = "further"


def topic_of(name: str) -> str:
    """The topic of a study."""
    return next((topic for topic, names in TOPICS.items() if name in names), OTHER)
