"""Curvature and noise measured while a cell trains."""

from typing import Any

import numpy as np
import pytest
from batchlab.analyses.base import Subject, weights_of
from batchlab.analyses.curvature import Eigenvalues
from batchlab.analyses.gradient_noise import GradientNoise
from batchlab.errors import SpecError
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec

PROBES = [{"kind": "top_eigenvalue", "tolerance": 1e-5}, {"kind": "noise_scale"}, {"kind": "grad_norm"}]
NORMED: dict[str, Any] = {
    "dataset": {"kind": "iris"},
    "model": {"kind": "mlp", "widths": [6], "norm": {"kind": "batch"}},
    "lr": {"rule": "fixed", "base": 0.1},
    "batch_sizes": [32],
    "momentum": 0.5,
}


@pytest.mark.parametrize("lr", [0.5, 0.35])
def test_under_full_batches_the_top_eigenvalue_rises_to_the_edge_and_stays_there(
    lr: float, cells: Any, train: Any
) -> None:
    (cell,) = cells(
        model={"kind": "mlp", "widths": [16], "activation": "tanh"}, loss="half_squared_error", batch_sizes=["full"],
        lr={"rule": "fixed", "base": lr}, budget={"steps": 2000}, evaluate={"every_steps": 100},
        probes=[{"kind": "top_eigenvalue", "rows": None}],
    )  # fmt: skip
    trained = train(cell)
    top, edge = trained.curve("lambda_max"), 2 / lr
    np.testing.assert_allclose(trained.curve("edge"), edge, rtol=1e-6)
    assert top[1] < 0.9 * edge
    assert abs(top[11:].mean() / edge - 1) < 0.05
    assert top[11:].min() > 0.85 * edge
    assert top[1:].max() < 1.25 * edge
    assert (trained.curve("lambda_max_residual") < 0.01 * top).all()


def test_the_last_values_are_those_of_the_analyses_of_the_trained_cell(cells: Any, train: Any, tmp_path: Any) -> None:
    (cell,) = cells(**NORMED, probes=PROBES)
    data = cell.dataset.load(tmp_path)
    trained = train(cell, data)
    subject = Subject(cell, data, {30: weights_of(trained.states[-1])})
    for kind, names in (
        (Eigenvalues(top=1, batch_norm="kept", tolerance=1e-5), {"lambda_max": "lambda_max"}),
        (GradientNoise(batch_norm="kept"), {"noise_scale": "noise_scale", "gradient_scatter": "scatter"}),
    ):
        values = [piece.finding for piece, _ in kind.run([subject])][-1].values
        for own, theirs in names.items():
            assert trained.result[own] == pytest.approx(values[theirs], rel=1e-3)
    assert trained.result["edge"] == pytest.approx(20)
    assert trained.result["edge_momentum"] == pytest.approx(30)


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "steps", "milestones": [10], "sizes": [60], "unit": "steps"},
        {"kind": "norm_test", "theta": 0.01, "every": 10, "maximum": 0.075},
    ],
    ids=lambda schedule: schedule["kind"],
)
def test_under_a_sum_the_edge_follows_the_batch_size(schedule: Any, cells: Any, train: Any) -> None:
    (cell,) = cells(
        lr={"rule": "fixed", "base": 0.001}, batch_sizes=[30], reduction="sum", batch_schedule=schedule,
        evaluate={"every_steps": 1}, probes=[{"kind": "top_eigenvalue", "steps": 2}], budget={"steps": 20},
    )  # fmt: skip
    trained = train(cell)
    sizes = np.repeat([30, 60], [11, 10])  # at the start, after 10 small batches, and after 10 large ones
    assert trained.curve("batch_size")[:18].tolist() == sizes[1:19].tolist()
    np.testing.assert_allclose(trained.curve("edge")[:19], 2 / 0.001 / sizes[:19], rtol=1e-6)


def test_what_is_measured_changes_nothing_in_training(cells: Any, train: Any) -> None:
    (watched,), (plain,) = cells(**NORMED, probes=PROBES), cells(**NORMED)
    found, bare = train(watched).bits(), train(plain).bits()
    assert {name: found[name] for name in bare if not name.endswith("_norm")} == {
        name: bits for name, bits in bare.items() if not name.endswith("_norm")
    }


def test_a_watched_cell_resumed_after_any_block_ends_with_the_same_bits(cells: Any, train: Any) -> None:
    (cell,) = cells(**NORMED, probes=PROBES)
    whole = train(cell, block_steps=7)
    for state in whole.states[:-1]:
        rest = train(cell, state=state)
        assert whole.curve("lambda_max").tobytes().endswith(rest.curve("lambda_max").tobytes())
        assert whole.curve("noise_scale").tobytes().endswith(rest.curve("noise_scale").tobytes())
        assert rest.result["lambda_max"] == whole.result["lambda_max"]


def test_what_is_measured_at_evaluations_is_counted_in_the_plan(document: Any) -> None:
    limits = WorkLimits(10, 10_000)
    plain, watched = (plan(parse_spec(document(**NORMED, probes=probes)), limits) for probes in ([], PROBES[:2]))
    assert watched.storage_bytes > plain.storage_bytes


FRUGAL = {"kind": "noise_scale", "rows": 120, "group": 8, "budget": 0.25}


def test_the_noise_is_measured_as_often_as_the_budget_allows_whatever_the_clock_says(cells: Any, train: Any) -> None:
    (cell,) = cells(**NORMED, budget={"steps": 60}, evaluate={"every_steps": 3}, probes=[FRUGAL])
    whole = train(cell, block_steps=7)
    found, steps = whole.curve("noise_scale"), np.array(whole.evaluated_at)
    measured = steps[np.isfinite(whole.curve("gradient_scatter"))]
    seen = np.array([cell.examples(int(step)) for step in measured])
    assert len(measured) == int(0.25 * cell.examples(60) / 120) == 3
    assert (120 * np.arange(1, len(measured) + 1) <= 0.25 * seen).all()
    assert (120 * np.arange(1, len(measured) + 1) > 0.25 * (seen - 3 * 32)).all()  # no later than need be
    for state in whole.states[:-1]:
        rest = train(cell, state=state)
        assert found.tobytes().endswith(rest.curve("noise_scale").tobytes())
        assert rest.result["mean_noise_scale"] == whole.result["mean_noise_scale"]
    assert whole.result["noise_scale_overhead"] > 0
    seconds = whole.curve("noise_scale_seconds")
    assert whole.result["mean_noise_scale_seconds"] == pytest.approx(seconds.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"group": 1}, "a budget needs groups"), ({"rows": 20}, "20 rows are less than 3 groups of 8")],
)
def test_a_budget_that_cannot_be_kept_is_refused(changes: Any, message: str, document: Any) -> None:
    with pytest.raises(SpecError, match=message):
        parse_spec(document(**NORMED, probes=[FRUGAL | changes]))
