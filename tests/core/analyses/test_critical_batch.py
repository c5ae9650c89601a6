"""The critical batch size from runs whose law is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from batchlab.analyses.base import Subject
from batchlab.analyses.critical import Best, best_settings, fit, interval, noise_scale
from batchlab.errors import DataError, SpecError

SWEEP: dict[str, Any] = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [4, 16, 64, 256],
    "lr": {"rule": "list", "values": [0.1, 0.2]},
    "seeds": [0, 1, 2],
    "budget": {"steps": 100},
    "target": {"metric": "train_loss", "at_most": 0.1},
}


def law(batch: float, fewest: float = 100.0, critical: float = 60.0) -> float:
    return fewest * (1 + critical / batch)


@pytest.fixture
def swept(cells: Any) -> Any:
    """Cells whose results obey the law (with `scatter` by seed at the better rate, 0.2), as if trained."""

    def make(scatter: float = 0.0, missed: int | None = None) -> list[Subject]:
        rng, found = np.random.default_rng(0), []
        for cell in cells(**SWEEP):
            steps = law(cell.batch_size) * (2 if cell.lr == 0.1 else 1) * np.exp(scatter * rng.standard_normal())
            found.append(Subject(cell, result={"target_step": None if cell.batch_size == missed else round(steps)}))
        return found

    return make


def test_a_hyperbola_is_found_again() -> None:
    batches = np.array([4.0, 16, 64, 256, 1024])
    found = fit(batches, np.array([law(b) for b in batches]))
    assert found.fewest_updates == pytest.approx(100, rel=1e-4)
    assert found.critical_batch == pytest.approx(60, rel=1e-4)
    assert found.fewest_examples == pytest.approx(6000, rel=1e-4)
    for b in batches:
        s, e = law(b), law(b) * b
        assert (s / found.fewest_updates - 1) * (e / found.fewest_examples - 1) == pytest.approx(1, rel=1e-3)


def test_the_best_rate_is_the_one_with_which_every_seed_arrives_soonest() -> None:
    lucky = {(0.1,): {0: 50.0, 1: 60.0}, (0.4,): {0: 20.0, 1: float("inf")}}
    (found,) = best_settings({8: lucky, 16: {(0.1,): {0: float("inf")}}})
    assert (found.batch, found.setting, found.mean) == (8, (0.1,), 55.0)


def test_a_rate_at_which_a_seed_diverged_is_no_candidate(swept: Any, analyse: Any) -> None:
    (found,) = best_settings({8: {(0.1,): {0: 50.0, 1: 60.0}, (0.4,): {0: 20.0}}})
    assert found.setting == (0.1,)
    ended = [s for s in swept() if not (s.cell.lr == 0.2 and s.cell.batch_size == 64 and s.cell.seed == 1)]
    assert analyse(ended, kind="critical_batch").arrays["lr"].tolist() == [0.2, 0.2, 0.1, 0.2]


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(60):
        best = [Best(b, (0.1,), {s: law(b) * np.exp(0.1 * rng.standard_normal()) for s in range(4)})
                for b in (4, 16, 64, 256)]  # fmt: skip
        found = interval(best, 0.9)
        assert found is not None
        hits += found[0] <= 60 <= found[1]
    assert 48 <= hits <= 60  # 54 are expected, give or take 2.3


def test_one_seed_gives_no_interval() -> None:
    assert interval([Best(b, (0.1,), {0: law(b)}) for b in (4, 16, 64)], 0.95) is None


def test_a_sweep_gives_its_critical_batch_with_an_interval(swept: Any, analyse: Any) -> None:
    finding = analyse(swept(0.05), kind="critical_batch")
    values = finding.values
    assert values["critical_batch"] == pytest.approx(60, rel=0.25)
    assert values["critical_batch_low"] < values["critical_batch"] < values["critical_batch_high"]
    assert values["within"]
    assert finding.arrays["batch"].tolist() == [4, 16, 64, 256]
    assert finding.arrays["lr"].tolist() == [0.2] * 4
    np.testing.assert_allclose(finding.arrays["examples"], finding.arrays["updates"] * finding.arrays["batch"])
    assert finding.meta["seeds"] == 3


def test_too_few_batch_sizes_at_the_target_are_not_fitted(swept: Any, analyse: Any) -> None:
    assert analyse(swept(missed=4), kind="critical_batch").meta["batch_sizes"] == 3
    short = [s if s.cell.batch_size != 16 else replace(s, result=None) for s in swept(missed=4)]
    with pytest.raises(DataError, match="only 2 batch sizes reach the target"):
        analyse(short, kind="critical_batch")


def test_experiments_that_cannot_have_one_are_refused(cells: Any) -> None:
    from batchlab.analyses.critical_batch import CriticalBatch

    CriticalBatch().check(cells(**SWEEP))
    with pytest.raises(SpecError, match="no target"):
        CriticalBatch().check(cells(**{**SWEEP, "target": None}))
    with pytest.raises(SpecError, match="at least 3 batch sizes"):
        CriticalBatch().check(cells(**{**SWEEP, "batch_sizes": [4, 16]}))


def test_the_noise_scale_is_a_ratio_of_averages_with_an_interval_that_holds_the_truth() -> None:
    rng, hits = np.random.default_rng(2), 0
    for _ in range(60):
        measured = {s: [(50 + 5 * rng.standard_normal(), 2 + 0.2 * rng.standard_normal())] for s in range(4)}
        found = noise_scale(measured, 0.9)
        assert found is not None and found[1] is not None and found[2] is not None
        scatters, signals = zip(*(pairs[0] for pairs in measured.values()), strict=True)
        assert found[0] == pytest.approx(sum(scatters) / sum(signals))
        hits += found[1] <= 25 <= found[2]
    assert 48 <= hits <= 60  # 54 are expected, give or take 2.3


def test_without_a_signal_there_is_no_noise_scale_and_a_single_seed_gives_no_interval() -> None:
    assert noise_scale({}, 0.95) is None
    assert noise_scale({0: [(1.0, -0.1)]}, 0.95) is None
    assert noise_scale({0: [(6.0, 1.0), (2.0, 3.0)]}, 0.95) == (2.0, None, None)
    assert noise_scale({0: [(6.0, 1.0)], 1: [(6.0, -0.5)]}, 0.95) == (24.0, None, None)


def test_the_critical_batch_stands_beside_the_noise_scale_of_the_runs_that_it_is_of(swept: Any, analyse: Any) -> None:
    def noisy(subject: Subject) -> Subject:
        best = subject.cell.lr == 0.2
        measured = {"mean_gradient_scatter": 30.0 + subject.cell.seed if best else 999.0, "mean_gradient_signal": 0.5}
        return replace(subject, result={**(subject.result or {}), **measured})

    values = analyse(list(map(noisy, swept(0.05))), kind="critical_batch").values
    assert values["noise_scale"] == pytest.approx(62)
    assert values["noise_scale_low"] < 62 < values["noise_scale_high"]
    assert analyse(swept(0.05), kind="critical_batch").values["noise_scale"] is None
