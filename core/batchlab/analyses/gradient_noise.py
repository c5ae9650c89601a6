"""The scatter of gradients at a cell's weights: noise scale, signal to noise, the tests by which batches are grown."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from batchlab.analyses.base import Finding, Held, Subject, Work
from batchlab.analyses.weights import Count, OfWeights
from batchlab.errors import DataError

if TYPE_CHECKING:
    from batchlab.analyses.noise import Noise
    from batchlab.analyses.problem import Problem


class GradientNoise(OfWeights):
    """The noise scale B = tr(Sigma) / |G|^2: the batch size at which noise and mean of a batch's gradient are equal.

    `noise_scale` with its standard error by the jackknife; `scatter` = tr(Sigma), the variance of a row's gradient;
    `signal` = |G|^2, the squared mean gradient. For the cell's batch size: `variance` = scatter / batch, `snr` =
    |G| / sqrt(variance), `norm_test` = sqrt(variance) / |G| (Byrd et al. 2012), `inner_product_test` (Bollapragada et
    al. 2018) and `cosine`, that which two batches' gradients have in expectation. `certain` says whether the mean
    gradient is told from zero; if not, the scale has no upper end, and where the signal comes out at 0 or below,
    all that is divided by it is null. (McCandlish, Kaplan et al. 2018.)
    """

    kind: Literal["gradient_noise"] = "gradient_noise"
    method: Literal["per_example", "two_batches"] = "per_example"
    """The gradient of every row, or batches of two sizes compared."""
    blocks: Annotated[int, Field(ge=3, le=1000)] = 20
    """Of rows, for the jackknife (`per_example`)."""
    small: Count = 8
    """Rows of a small batch (`two_batches`)."""
    large: Annotated[int, Field(ge=2)] = 128
    """Rows of a large batch: a multiple of the small one's."""
    draws: Annotated[int, Field(ge=3, le=100_000)] = 50
    """Large batches."""

    @model_validator(mode="after")
    def _whole(self) -> "GradientNoise":
        if self.large % self.small or self.large == self.small:
            raise ValueError("large must be a multiple of small, at least twice as large")
        return self

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        problem = self.problem(subjects[0], device)
        found = yield from self._estimate(problem, held)
        values = {"noise_scale": found.scale, "scatter": found.scatter, "signal": found.signal}
        errors = {"noise_scale": found.scale_error, "scatter": found.scatter_error, "signal": found.signal_error}
        values |= self._at_batch(problem, found, subjects[0].cell.batch_size)
        facts: dict[str, Any] = {"standard_error": errors, "converged": found.certain, "method": self.method}
        return Finding(values, {}, problem.meta() | facts | {"batch_size": subjects[0].cell.batch_size})

    def _estimate(self, problem: "Problem", held: Held) -> "Work[Noise]":
        from batchlab.analyses.noise import per_example, two_batches

        if self.method == "per_example":
            return per_example(problem, problem.weights, self.blocks, held)
        if self.large > problem.rows:
            raise DataError(
                f"a large batch of {self.large} rows is more than the {problem.rows} there are: make it smaller"
            )
        return two_batches(problem, problem.weights, self.small, self._rows(problem.rows), held)

    def _rows(self, of: int) -> Iterator[NDArray[np.int64]]:
        """The rows of each large batch."""
        from batchlab import streams

        return (streams.permutation(of, self.seed, "path", number)[: self.large] for number in range(self.draws))

    def _at_batch(self, problem: "Problem", found: "Noise", batch: int) -> dict[str, float]:
        """What the noise means for batches of this size, drawn from many rows."""
        from batchlab.analyses.noise import along

        signal, variance = _positive(found.signal), found.scatter / batch
        _, mean = problem.gradient(problem.weights)
        spread = float(along(problem, problem.weights, mean).var(ddof=1)) if problem.rows > 1 else 0.0
        squared = _positive(float(mean.double().square().sum()))
        return {
            "variance": variance,
            "snr": float(np.sqrt(signal / variance)) if variance > 0 else float("nan"),
            "norm_test": float(np.sqrt(variance / signal)),
            "inner_product_test": float(np.sqrt(spread / batch) / squared),
            "cosine": signal / (signal + variance),
        }


def _positive(value: float) -> float:
    """A squared length; NaN (hence no number in the end) where its estimate is none."""
    return value if value > 0 else float("nan")
