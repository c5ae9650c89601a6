"""The critical batch size of an experiment, from the updates and examples that each batch size took to a target."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from batchlab.analyses.base import AnalysisKind, Finding, Held, Inputs, Needs, Subject, Work
from batchlab.cell import Cell
from batchlab.errors import DataError, SpecError

if TYPE_CHECKING:
    from batchlab.analyses.critical import Hyperbola, Runs


class CriticalBatch(AnalysisKind):
    """The batch size beyond which updates to a target fall less than in proportion: S(B) = S_min (1 + B_crit / B).

    By batch size the rate that reaches the target in the fewest updates (on average over seeds, all of which must reach
    it: a seed that diverged has not) is taken. `critical_batch` (rows) has an interval by leaving out seeds; `within`
    says whether it lies among the batch sizes of the sweep, or is extrapolated. Arrays: `batch`, `lr`, `updates`,
    `examples`, `fitted`. Updates are counted to the evaluation at which the target was first reached. It compares with
    the measured noise scale of `gradient_noise` (McCandlish, Kaplan et al. 2018).
    """

    kind: Literal["critical_batch"] = "critical_batch"
    inputs: ClassVar[Inputs] = "all"
    needs: ClassVar[Needs] = "results"
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Of the interval."""

    def check(self, cells: Sequence[Cell]) -> None:
        if any(cell.target is None for cell in cells):
            raise SpecError.at((), "the experiment has no target: give it one, such as a validation accuracy to reach")
        if len({cell.variant for cell in cells}) > 1 or any(cell.batch_schedule.kind != "constant" for cell in cells):
            raise SpecError.at((), "takes cells of one variant, each with a batch size that does not change")
        sizes = {cell.batch_size for cell in cells}
        if len(sizes) < 3:
            raise SpecError.at((), f"needs at least 3 batch sizes, the experiment has {len(sizes)}")

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.critical import best_settings, fit, interval

        best = best_settings(_runs(subjects))
        if len(best) < 3:
            raise DataError(f"only {len(best)} batch sizes reach the target with every seed: a nearer target may help")
        batches, updates = (np.array(v, np.float64) for v in ([b.batch for b in best], [b.mean for b in best]))
        found = fit(batches, updates)
        bounds = interval(best, self.confidence)
        yield from ()
        arrays = {
            "batch": batches,
            "lr": np.array([b.setting[0] for b in best]),
            "updates": updates,
            "examples": updates * batches,
            "fitted": found.fewest_updates * (1 + found.critical_batch / batches),
        }
        low, high, error = bounds or (None, None, None)
        values = _values(found) | {"critical_batch_low": low, "critical_batch_high": high}
        within = bool(batches[0] <= found.critical_batch <= batches[-1])
        facts = {"converged": True, "batch_sizes": len(best), "seeds": min(len(b.updates) for b in best)}
        errors = {"critical_batch": None if error is None else error * found.critical_batch}
        return Finding(values | {"within": within}, arrays, facts | {"standard_error": errors})


def _values(found: "Hyperbola") -> dict[str, float]:
    return {
        "critical_batch": found.critical_batch,
        "fewest_updates": found.fewest_updates,
        "fewest_examples": found.fewest_examples,
    }


def _runs(subjects: Sequence[Subject]) -> "Runs":
    """Updates to the target by batch size, setting and seed."""
    runs: dict[int, dict[tuple[float, ...], dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for subject in subjects:
        cell, reached = subject.cell, (subject.result or {}).get("target_step")
        steps = float("inf") if reached is None else float(reached)
        setting = (cell.lr, cell.momentum or 0.0, *(value for _, value in sorted(cell.params.items())))
        runs[cell.batch_size][setting][cell.seed] = steps
    return runs
