"""Descents on surfaces, as the engine takes them, against their closed forms."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab.cell import Cell
from batchlab.errors import SpecError
from batchlab.expand import expand
from batchlab.spec import parse_spec
from batchlab.surfaces import Beale, Himmelblau, LocalMinima, Plateau, Ravine, Rosenbrock, Saddle

Train = Callable[..., Any]


def descents(surface: dict[str, Any], lr: float = 0.1, steps: int = 60, **changes: Any) -> tuple[Cell, ...]:
    """Cells in double precision on a surface, by default the surface itself, recorded number by number."""
    start = changes.pop("start", None)
    spec = {
        "dataset": {"kind": "slopes", "rows": 1},
        "model": {"kind": "surface", "surface": surface, **({} if start is None else {"start": start})},
        "batch_sizes": ["full"],
        "lr": {"rule": "fixed", "base": lr},
        "budget": {"steps": steps},
        "evaluate": {"every_steps": 1000},
        "precision": "float64",
        "probes": [{"kind": "position"}, {"kind": "momentum_parts"}, {"kind": "distance", "radius": 0.5}],
    }
    return expand(parse_spec({**spec, **changes}))


def roots(curvature: float, lr: float, momentum: float) -> Any:
    """Of `z^2 - (1 + m - lr curvature) z + m = 0`: what heavy ball multiplies by in each update."""
    return np.roots([1.0, -(1.0 + momentum - lr * curvature), momentum])


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("curvature", [1.0, 4.0])
def test_heavy_ball_on_a_bowl_follows_its_closed_form(curvature: float, momentum: float, train: Train) -> None:
    """`x_t = c_1 z_1^t + c_2 z_2^t`, whose constants come from x_0 and `x_1 = (1 - lr curvature) x_0`."""
    (cell,) = descents({"kind": "quadratic", "a": curvature}, momentum=momentum, start=[2.0, 0.0])
    z = roots(curvature, 0.1, momentum)
    constants = np.linalg.solve(np.vander(z, increasing=True).T, [2.0, 2.0 * (1 - 0.1 * curvature)])
    expected = [float((constants @ z**t).real) for t in range(60)]
    found = train(cell)
    np.testing.assert_allclose(found.curve("param/x"), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.curve("loss"), curvature * np.square(expected) / 2, rtol=1e-5, atol=1e-15)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_rate_is_stable_up_to_twice_one_plus_the_momentum(momentum: float, train: Train) -> None:
    (below, above) = (
        train(descents({"kind": "quadratic"}, lr=edge * 2 * (1 + momentum), momentum=momentum, steps=400)[0])
        for edge in (0.99, 1.01)
    )
    assert abs(below.curve("param/x")[-1]) < 1.0
    assert abs(above.curve("param/x")[-1]) > 10.0


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_a_saddle_is_left_at_the_rate_of_the_largest_root(momentum: float, train: Train) -> None:
    (cell,) = descents({"kind": "saddle"}, momentum=momentum, start=[0.0, 1e-9], steps=120)
    y = train(cell).curve("param/y").astype(np.float64)
    rate = max(abs(roots(-1.0, 0.1, momentum)))
    assert y[-1] / y[-2] == pytest.approx(rate, rel=1e-5)
    assert rate >= 1 + 0.1 or momentum > 0


@pytest.mark.parametrize(
    ("surface", "point"),
    [
        (Rosenbrock(), (1.0, 1.0)),
        (Beale(), (3.0, 0.5)),
        (Himmelblau(), (3.0, 2.0)),
        (Himmelblau(), (-2.805118, 3.131312)),
        (Plateau(), (0.0, 0.0)),
        (Ravine(), (0.0, 0.0)),
    ],
)
def test_a_known_minimum_is_one(surface: Any, point: tuple[float, float]) -> None:
    x, y = point
    assert surface.value(x, y) == pytest.approx(0.0, abs=1e-9)
    angles = np.linspace(0, 2 * math.pi, 16)
    assert (surface.value(x + 0.01 * np.cos(angles), y + 0.01 * np.sin(angles)) > surface.value(x, y)).all()


def test_momentum_rolls_past_the_hollow_where_plain_descent_stops(train: Train) -> None:
    plain, heavy = (
        train(descents({"kind": "local_minima"}, momentum=momentum, steps=400)[0]).curve("param/x")[-1]
        for momentum in (0.0, 0.9)
    )
    assert plain > 0.9
    assert heavy < -0.9
    assert LocalMinima().value(heavy, 0.0) < LocalMinima().value(plain, 0.0)


def test_a_bound_saddle_has_its_minima_where_it_says() -> None:
    x = np.linspace(-1, 1, 101)
    assert Saddle(bound=4.0).value(0.0, 0.5) == pytest.approx(Saddle(bound=4.0).value(*np.meshgrid(x, x)).min())


def test_a_step_is_minus_rate_times_gradient_and_momentum_times_the_step_before(train: Train) -> None:
    (cell,) = descents({"kind": "ravine"}, lr=0.01, momentum=0.9, steps=30)
    found = train(cell)
    step, previous, descent = (found.curve(f"{part}/y") for part in ("step", "previous_step", "gradient_step"))
    np.testing.assert_allclose(descent, -0.01 * 25.0 * found.curve("param/y"), rtol=1e-6)
    np.testing.assert_allclose(previous[1:], 0.9 * step[:-1], rtol=1e-6)
    np.testing.assert_allclose(step, descent + previous, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.diff(found.curve("param/y")), step[:-1], rtol=1e-5, atol=1e-7)
    assert previous[0] == 0


def test_a_larger_model_has_the_norms_of_the_parts(train: Train, cells: Callable[..., tuple[Cell, ...]]) -> None:
    probes = [{"kind": "momentum_parts"}, {"kind": "update_norm"}, {"kind": "grad_norm"}, {"kind": "distance"}]
    (cell,) = cells(
        probes=probes, momentum=0.9, model={"kind": "mlp", "widths": [4]}, lr={"rule": "fixed", "base": 0.25}
    )
    found = train(cell)
    np.testing.assert_allclose(found.curve("step"), found.curve("update_norm"), rtol=1e-5)
    np.testing.assert_allclose(found.curve("gradient_step"), 0.25 * found.curve("grad_norm"), rtol=1e-5)
    np.testing.assert_allclose(found.curve("previous_step")[1:], 0.9 * found.curve("step")[:-1], rtol=1e-4)
    assert found.curve("distance")[0] == pytest.approx(found.curve("update_norm")[0], rel=1e-5)


@pytest.mark.parametrize(
    ("surface", "start"),
    [({"kind": "saddle", "bound": 1.0}, [0.0, 0.0]), ({"kind": "local_minima", "tilt": 0.0}, [1.0, 0.0])],
)
def test_the_full_batch_rests_where_batches_of_one_leave(surface: Any, start: Any, train: Train) -> None:
    cells = descents(
        surface,
        start=start,
        lr=0.2,
        steps=120,
        dataset={"kind": "slopes", "rows": 16, "spread": 2.0},
        batch_sizes=[1, "full"],
        momentum=[0.0, 0.9],
        seeds=2,
        precision="float32",
    )
    for cell in cells:
        found = train(cell)
        escaped = found.result["escape_step"]
        if cell.batch_size == 16:
            assert escaped is None
            assert not found.curve("distance").any()
        else:
            distance = found.curve("distance")
            assert escaped == 1 + int(np.argmax(distance > 0.5))


def test_batches_of_one_leave_a_saddle_at_different_times(train: Train) -> None:
    cells = descents({"kind": "saddle"}, start=[0.0, 0.0], dataset={"kind": "slopes"}, batch_sizes=[1], seeds=8)
    assert len({train(cell).result["escape_step"] for cell in cells}) > 3


def test_slopes_add_up_to_zero_and_a_single_row_has_none(tmp_path: Any) -> None:
    (cell,) = descents({"kind": "saddle"}, dataset={"kind": "slopes", "rows": 64, "spread": 3.0})
    rows = cell.dataset.load(tmp_path).x
    assert rows.shape == (64, 2)
    assert not rows.sum(0).any()
    assert rows.std() == pytest.approx(3.0, rel=0.25)
    (alone,) = descents({"kind": "saddle"})
    assert not alone.dataset.load(tmp_path).x.any()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"loss": "half_squared_error"}, "loss"),
        ({"init": "normal"}, "init"),
        ({"dataset": {"kind": "diabetes"}}, "model.kind"),
        ({"dataset": {"kind": "slopes", "rows": 12}}, "dataset.rows"),
        ({"dataset": {"kind": "slopes", "take": 4}}, "dataset.take"),
        ({"dataset": {"kind": "slopes", "validation": 0.5}}, "dataset.validation"),
        ({"dataset": {"kind": "diabetes"}, "model": {"kind": "linear"}}, "probes.0"),
        ({"dataset": {"kind": "diabetes"}, "model": {"kind": "linear"}, "probes": [], "loss": "output"}, "loss"),
    ],
)
def test_what_makes_no_sense_on_a_surface_is_refused(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as refused:
        descents({"kind": "saddle"}, **changes)
    assert [".".join(map(str, fault.loc)) for fault in refused.value.faults] == [path]
