"""Probes that are measured at evaluations, as they cost many passes over rows: curvature and noise of the gradient.

They look at the training rows and leave the network and all randomness as they were.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from batchlab.kinds import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from batchlab.engines.task import Task

Rows = Annotated[int, Field(ge=2)] | None
LEAST_GROUP = 8
"""Rows from which on a group's gradient costs about what a batch's does."""


class EvaluationProbe(Kind):
    """What is measured at every evaluation. Towards an engine it is a probe that measures nothing at updates."""

    family: ClassVar[str] = "probes"
    need: ClassVar[None] = None
    """What it needs at updates: nothing."""
    evaluated: ClassVar[tuple[str, ...]]
    """Names of its metrics."""

    @abstractmethod
    def evaluate(self, task: "Task") -> "dict[str, Tensor]":
        """The metrics at the task's weights, by name; NaN where one cannot be had."""

    def metrics(self, parameters: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
        """Its metrics at updates: none."""
        return ()

    def values(self, measured: Any, parameters: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        """Their values: none."""
        return {}

    def fault(self, parameters: Mapping[str, tuple[int, ...]]) -> str | None:
        """What keeps it from being measured on such a model: nothing."""
        return None

    def crossings(self) -> dict[str, tuple[str, float]]:
        """Limits on its metrics at updates: none."""
        return {}

    def means(self, found: Mapping[str, float | None]) -> dict[str, float | None]:
        """Means that take the place of those of single values, by the result's key; `found` has all of these."""
        return {}

    def costs(self, sums: Mapping[str, float], seconds: float) -> dict[str, float | None]:
        """What measuring took beside so many `seconds` of training, by the result's key; `sums` are those of its
        metrics over the run."""
        return {}


class TopEigenvalue(EvaluationProbe):
    """The largest eigenvalue of the loss' Hessian, `lambda_max`, beside the edges of stability of the current rate.

    `edge` = 2 / lr is where plain descent stops being stable, `edge_momentum` = 2 (1 + m) / lr where heavy-ball
    momentum m does; both divided by the batch size where the sum over a batch is minimised, as the Hessian is that of
    the mean. In full-batch training `lambda_max` rises to the edge and hovers there (Cohen et al. 2021).
    `lambda_max_residual` is |H v - lambda v| for unit v.
    """

    kind: Literal["top_eigenvalue"] = "top_eigenvalue"
    evaluated: ClassVar[tuple[str, ...]] = ("lambda_max", "lambda_max_residual", "edge", "edge_momentum")
    rows: Rows = 1000
    """Training rows, the same at every evaluation; all where null."""
    steps: Annotated[int, Field(ge=2, le=500)] = 30
    """Products with the Hessian, at most, at each evaluation."""
    tolerance: Annotated[float, Field(gt=0)] = 1e-2
    """Residual that is good enough, over the eigenvalue."""

    def evaluate(self, task: "Task") -> "dict[str, Tensor]":
        from batchlab.analyses.watching import top_eigenvalue

        return top_eigenvalue(task, self.rows, self.steps, self.tolerance)


class NoiseScale(EvaluationProbe):
    """The noise scale B = tr(Sigma) / |G|^2 of the training gradient, by the gradients of single rows.

    `noise_scale` with its standard error by the jackknife (`noise_scale_error`), `gradient_scatter` = tr(Sigma) and
    `gradient_signal` = |G|^2 (McCandlish, Kaplan et al. 2018). The result's `mean_noise_scale` is the mean scatter over
    the mean signal: an average of ratios would be biased, and where a signal is near 0, of any size.

    With a `budget` it is measured at as many evaluations as that share of the training's work allows, counted in
    gradients of rows: so the machine's speed changes no number. What it took in fact is `noise_scale_seconds` and, over
    the seconds of training, the result's `noise_scale_overhead`.
    """

    kind: Literal["noise_scale"] = "noise_scale"
    evaluated: ClassVar[tuple[str, ...]] = ("noise_scale", "noise_scale_error", "gradient_scatter", "gradient_signal",
                                           "noise_scale_seconds")  # fmt: skip
    rows: Rows = 1000
    """Training rows, the same at every evaluation; all where null."""
    blocks: Annotated[int, Field(ge=3, le=1000)] = 10
    """Of rows, for the jackknife."""
    group: Annotated[int, Field(ge=1)] = 1
    """So many rows give one gradient, their mean. With groups the scatter is that of their means, times their rows:
    less certain, and as cheap as training on these rows. Gradients of single rows cost up to a hundred times that."""
    budget: Annotated[float, Field(gt=0, le=1)] | None = None
    """The largest share of the training's work that measuring may take, such as 0.05; at every evaluation where null.
    Needs groups of at least 8 rows."""

    @model_validator(mode="after")
    def _affordable(self) -> "NoiseScale":
        if self.budget is not None and self.group < LEAST_GROUP:
            raise ValueError(f"a budget needs groups: set group to {LEAST_GROUP} rows or more")
        if self.rows is not None and self.rows < 3 * self.group:
            raise ValueError(
                f"{self.rows} rows are less than 3 groups of {self.group}: take more rows, or smaller groups"
            )
        return self

    def means(self, found: Mapping[str, float | None]) -> dict[str, float | None]:
        scatter, signal = found.get("mean_gradient_scatter"), found.get("mean_gradient_signal")
        ratio = None if scatter is None or signal is None or signal <= 0 else scatter / signal
        return {"mean_noise_scale": ratio, "mean_noise_scale_error": None}  # the errors' mean is not this ratio's error

    def evaluate(self, task: "Task") -> "dict[str, Tensor]":
        from batchlab.analyses.watching import noise_scale

        return noise_scale(task, self.rows, self.blocks, self.group, self.budget)

    def costs(self, sums: Mapping[str, float], seconds: float) -> dict[str, float | None]:
        return {"noise_scale_overhead": sums.get("noise_scale_seconds", 0.0) / seconds if seconds > 0 else None}


class GradientVariance(EvaluationProbe):
    """The variance of a batch's gradient: batches are drawn at the same weights and compared with all rows.

    `grad_variance` is the mean of |g - G|^2 (for independent rows that of one row over the batch size, times the
    finite-population factor (N - B) / (N - 1)), `grad_agreement` the mean cosine of g and G, `full_grad_norm` |G|, all
    of what is minimised, in training mode. Costs a pass over the training rows and one over each of the batches.
    """

    kind: Literal["gradient_variance"] = "gradient_variance"
    evaluated: ClassVar[tuple[str, ...]] = ("grad_variance", "grad_agreement", "full_grad_norm")
    batches: Annotated[int, Field(ge=1, le=1000)] = 16
    """How many are drawn each time."""

    def evaluate(self, task: "Task") -> "dict[str, Tensor]":
        from batchlab.engines.samples import variance

        return variance(task, self.batches)
