"""Sharpness against closed forms: boxes and balls in a quadratic bowl."""

from typing import Any

import numpy as np
import pytest
import torch
from batchlab.analyses.base import Held, finish
from batchlab.analyses.box import maximise
from batchlab.analyses.keskar import Space, eps_sharpness
from batchlab.analyses.perturbation import average_case, checkpoints, one_step, worst_case

ALL = [
    {"kind": "keskar", "eps": 5e-4},
    {"kind": "keskar", "subspace": 20, "restarts": 3},
    {"kind": "worst_case", "group": 50, "steps": 5},
    {"kind": "worst_case", "norm": "l2", "rho": 0.1, "group": None, "steps": 5},
    {"kind": "one_step"},
    {"kind": "average_case", "draws": 5},
]


def bowl(quadratic: Any) -> tuple[Any, torch.Tensor]:
    """The quadratic of the known answer: curvatures 1, 4, 9 and loss 0.3 at its minimum (0, 0.5, -2)."""
    where = [0.0, 0.5, -2.0]
    return quadratic([1.0, 4.0, 9.0], where, 0.3), torch.tensor(where, dtype=torch.float64)


def keskar(problem: Any, w: torch.Tensor, **options: Any) -> Any:
    given = {"eps": 1e-3, "restarts": 2, "iterations": 10, "seed": 0} | options
    return finish(eps_sharpness(problem, w, Space(problem, None, 0), **given, held=Held({})))


def test_keskars_sharpness_of_a_bowl_is_reached_in_a_corner_of_the_box(quadratic: Any) -> None:
    found = keskar(*bowl(quadratic))
    assert found.value == pytest.approx(0.0035, rel=1e-9)
    assert found.facts["at_edge"] == 1.0
    assert found.converged


def test_a_search_from_the_minimum_itself_would_find_nothing(quadratic: Any) -> None:
    problem, w = bowl(quadratic)

    def stuck(y: Any) -> tuple[float, Any]:
        loss, gradient = problem.gradient(w + torch.from_numpy(y))
        return loss, gradient.numpy()

    found = finish(maximise(stuck, np.zeros(3), np.full(3, 1e-3), 10, Held({})))
    assert found.value == 0.3
    assert keskar(problem, w, restarts=1).value > 0.003


def test_a_subspace_of_all_dimensions_has_its_own_box(quadratic: Any) -> None:
    """With p = 1 the maximum is at an end of a segment, whose length follows from the pseudo-inverse."""
    problem, w = bowl(quadratic)
    space = Space(problem, 1, 0)
    a = problem.random(0, "subspace", 0)
    half = 1e-3 * (abs(float(a @ w / (a @ a))) + 1)
    highest = 0.5 * half**2 * float((a.square() * problem.h).sum())
    found = finish(eps_sharpness(problem, w, space, eps=1e-3, restarts=2, iterations=10, seed=0, held=Held({})))
    assert found.value == pytest.approx(100 * highest / 1.3, rel=1e-9)


@pytest.mark.parametrize("adaptive", [True, False])
def test_the_worst_case_in_a_cube_is_a_corner(quadratic: Any, adaptive: bool) -> None:
    problem, w = bowl(quadratic)
    found = finish(worst_case(problem, w, norm="linf", rho=0.01, adaptive=adaptive, group=None, steps=20, seed=0,
                              held=Held({})))  # fmt: skip
    reach = 0.01 * (w.abs() if adaptive else torch.ones(3, dtype=torch.float64))
    assert found.value == pytest.approx(0.5 * float((reach.square() * problem.h).sum()), rel=1e-9)


def test_the_worst_case_in_a_ball_lies_along_the_largest_curvature(quadratic: Any) -> None:
    problem, w = bowl(quadratic)
    options: dict[str, Any] = {"norm": "l2", "rho": 0.01, "group": None, "steps": 60, "seed": 0}
    plain = finish(worst_case(problem, w, adaptive=False, **options, held=Held({})))
    assert plain.value == pytest.approx(0.5 * 0.01**2 * 9, rel=1e-3)
    adaptive = finish(worst_case(problem, w, adaptive=True, **options, held=Held({})))
    assert adaptive.value == pytest.approx(0.5 * 0.01**2 * 9 * 4, rel=1e-3)  # units of |w| = 2 there


def test_one_step_goes_along_the_gradient(quadratic: Any) -> None:
    problem, w = quadratic([2.0, 2.0], [0.0, 0.0]), torch.tensor([3.0, 4.0], dtype=torch.float64)
    found = one_step(problem, w, rho=0.5, adaptive=False)
    assert found.value == pytest.approx(5.5**2 - 5.0**2)
    c = torch.tensor([3.0, 4.0], dtype=torch.float64)
    step = 0.5 * c * (c * 2 * w) / (c * 2 * w).norm()
    assert one_step(problem, w, rho=0.5, adaptive=True).value == pytest.approx(problem.loss(w + step) - problem.loss(w))


def test_one_step_at_a_minimum_says_that_it_has_no_direction(quadratic: Any) -> None:
    found = one_step(*bowl(quadratic), rho=0.05, adaptive=False)
    assert found.value == 0.0
    assert not found.converged


def test_the_average_case_is_half_the_trace_within_its_standard_error(quadratic: Any) -> None:
    problem, w = bowl(quadratic)
    found = finish(average_case(problem, w, sigma=0.1, adaptive=False, draws=2000, seed=1, held=Held({})))
    assert found.standard_error == pytest.approx(0.01 * np.sqrt((1 + 16 + 81) / 2 / 2000), rel=0.1)
    assert abs(found.value - 0.5 * 0.01 * 14) < 4 * found.standard_error


def test_the_search_looks_at_its_step_ever_more_often() -> None:
    assert checkpoints(100) == (22, 41, 57, 70, 80, 87, 93, 99)


def test_every_definition_side_by_side_with_its_standard_error(subjects: Any, analyse: Any) -> None:
    finding = analyse(subjects(), kind="sharpness", measures=ALL, rows=100)
    names = ["keskar_0.0005", "keskar_0.001_p20", "worst_case_linf_0.002", "worst_case_l2_0.1", "one_step_0.05",
             "average_case_0.01"]  # fmt: skip
    assert list(finding.values) == names
    assert all(finding.values[name] > 0 for name in names)
    assert all(finding.meta["standard_error"][name] > 0 for name in names)
    assert finding.meta["rows"] == 100
    assert finding.meta["seconds"] > 0


def test_all_rows_leave_no_error_of_sampling(subjects: Any, analyse: Any) -> None:
    finding = analyse(subjects(), kind="sharpness")
    assert finding.meta["standard_error"] == {"keskar_0.001": 0.0}


def test_the_standard_error_explains_how_samples_differ_from_the_whole(subjects: Any, analyse: Any) -> None:
    given, measures = subjects(), [{"kind": "one_step"}]
    whole = analyse(given, kind="sharpness", measures=measures).values["one_step_0.05"]
    some = analyse(given, kind="sharpness", measures=measures, rows=60)
    assert abs(some.values["one_step_0.05"] - whole) < 3 * some.meta["standard_error"]["one_step_0.05"]


def test_rescaling_two_layers_moves_the_plain_measures_and_not_the_adaptive_ones(subjects: Any, analyse: Any) -> None:
    measures = [{"kind": "average_case", "sigma": 0.1, "draws": 20, "adaptive": adaptive} for adaptive in (False, True)]
    measures += [{"kind": "worst_case", "adaptive": adaptive, "group": None} for adaptive in (False, True)]
    measures += [{"kind": "keskar"}]
    finding = analyse(subjects(), kind="sharpness", measures=measures, rescale=8.0, precision="float64")
    assert finding.meta["rescaling_applies"]
    moved = {name: finding.values[f"{name}_rescaled"] / value for name, value in finding.values.items()
             if not name.endswith("_rescaled")}  # fmt: skip
    for name in ("average_case_0.1_adaptive", "worst_case_linf_0.002"):
        assert moved[name] == pytest.approx(1, rel=1e-6)
    for name in ("average_case_0.1", "worst_case_linf_0.002_plain", "keskar_0.001"):
        assert abs(moved[name] - 1) > 0.2


def test_rescaling_says_where_it_would_change_the_function(subjects: Any, analyse: Any) -> None:
    tanh = subjects(model={"kind": "mlp", "widths": [6], "activation": "tanh"})
    finding = analyse(tanh, kind="sharpness", measures=[{"kind": "one_step"}], rescale=8.0)
    assert not finding.meta["rescaling_applies"]
    assert list(finding.values) == ["one_step_0.05"]


def test_sharpness_killed_after_every_piece_ends_with_the_same_bits(
    subjects: Any, analyse: Any, torn: Any, equal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = subjects()
    monkeypatch.setattr("batchlab.analyses.box.PATIENCE", 0.0)  # a piece for each evaluation
    document: dict[str, Any] = {"kind": "sharpness", "measures": ALL, "rows": 100, "rescale": 2.0}
    finding, pieces = torn(given, **document)
    assert pieces > 50
    assert equal(finding, analyse(given, **document))
