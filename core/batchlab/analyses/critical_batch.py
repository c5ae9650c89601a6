"""The critical batch size of an experiment, from the updates and examples that each batch size took to a target."""

from collections import defaultdict
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from batchlab.analyses.base import AnalysisKind, Finding, Held, Inputs, Needs, Subject, Work
from batchlab.cell import Cell
from batchlab.errors import DataError, SpecError

if TYPE_CHECKING:
    from batchlab.analyses.critical import Hyperbola, Runs, Setting


class CriticalBatch(AnalysisKind):
    """The batch size beyond which updates to a target fall less than in proportion: S(B) = S_min (1 + B_crit / B).

    By batch size the rate that reaches the target in the fewest updates (on average over seeds, all of which must reach
    it: a seed that diverged has not) is taken. `critical_batch` (rows) has an interval by leaving out seeds; `within`
    says whether it lies among the batch sizes of the sweep, or is extrapolated. Arrays: `batch`, `lr`, `updates`,
    `examples`, `fitted`. Updates are counted to the evaluation at which the target was first reached. Where the cells
    have the probe `noise_scale`, what it measured in those same runs stands beside it: `noise_scale`, the mean scatter
    over the mean signal, with its interval; null where there is none (McCandlish, Kaplan et al. 2018).
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
        values |= _noise(subjects, {(b.batch, b.setting) for b in best}, self.confidence)
        within = bool(batches[0] <= found.critical_batch <= batches[-1])
        facts = {"converged": True, "batch_sizes": len(best), "seeds": min(len(b.updates) for b in best)}
        errors = {"critical_batch": None if error is None else error * found.critical_batch}
        return Finding(values | {"within": within}, arrays, facts | {"standard_error": errors})


def _values(found: "Hyperbola") -> dict[str, float | None]:
    return {
        "critical_batch": found.critical_batch,
        "fewest_updates": found.fewest_updates,
        "fewest_examples": found.fewest_examples,
    }


def _noise(
    subjects: Sequence[Subject], chosen: "Set[tuple[int, Setting]]", confidence: float
) -> dict[str, float | None]:
    """What the chosen runs have measured of the gradient's noise."""
    from batchlab.analyses.critical import noise_scale

    by_seed: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for subject in subjects:
        result = subject.result or {}
        scatter, signal = result.get("mean_gradient_scatter"), result.get("mean_gradient_signal")
        wanted = (subject.cell.batch_size, _setting(subject.cell)) in chosen
        if wanted and scatter is not None and signal is not None:
            by_seed[subject.cell.seed].append((scatter, signal))
    found = noise_scale(by_seed, confidence) or (None, None, None)
    return dict(zip(("noise_scale", "noise_scale_low", "noise_scale_high"), found, strict=True))


def _setting(cell: Cell) -> "Setting":
    return (cell.lr, cell.momentum or 0.0, *(value for _, value in sorted(cell.params.items())))


def _runs(subjects: Sequence[Subject]) -> "Runs":
    """Updates to the target by batch size, setting and seed."""
    runs: dict[int, dict[Setting, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for subject in subjects:
        cell, reached = subject.cell, (subject.result or {}).get("target_step")
        runs[cell.batch_size][_setting(cell)][cell.seed] = float("inf") if reached is None else float(reached)
    return runs
