"""The loss on lines and in planes, against closed forms and point by point."""

from typing import Any

import numpy as np
import pytest
import torch
from batchlab.analyses.base import Held, finish
from batchlab.analyses.directions import principal_plane, random_direction
from batchlab.analyses.heights import _at_once, heights
from batchlab.analyses.problem import Problem
from batchlab.errors import DataError

LINEAR: dict[str, Any] = {
    "dataset": {"kind": "diabetes"},
    "model": {"kind": "linear"},
    "lr": {"rule": "fixed", "base": 0.02},
}
NORMED: dict[str, Any] = {"model": {"kind": "mlp", "widths": [6], "norm": {"kind": "batch"}}}


def test_each_filter_of_a_direction_is_as_long_as_its_weights_and_biases_stay(subjects: Any) -> None:
    problem = Problem.of(subjects(dataset={"kind": "digits"}, model={"kind": "cnn", "channels": [4]})[0])
    parts = problem.unflatten(random_direction(problem, 0, 0, "filter"))
    for name, w in problem.unflatten(problem.weights).items():
        if w.ndim > 1:
            torch.testing.assert_close(parts[name].flatten(1).norm(dim=1), w.flatten(1).norm(dim=1), rtol=1e-4, atol=0)
        else:
            assert not parts[name].any()
    layers = problem.unflatten(random_direction(problem, 0, 0, "layer"))
    assert float(layers["conv1.weight"].norm()) == pytest.approx(
        float(problem.unflatten(problem.weights)["conv1.weight"].norm())
    )


def test_a_dead_filter_does_not_move(subjects: Any) -> None:
    problem = Problem.of(subjects()[0])
    problem.weights = torch.zeros_like(problem.weights)
    assert not random_direction(problem, 0, 0, "filter").any()


def test_networks_of_one_shape_share_their_directions(subjects: Any) -> None:
    one, other = (Problem.of(s) for s in subjects(seeds=[0, 1]))
    assert torch.equal(random_direction(one, 5, 1, "none"), random_direction(other, 5, 1, "none"))
    assert not torch.equal(random_direction(one, 5, 1, "none"), random_direction(one, 5, 0, "none"))


def test_the_landscape_of_linear_regression_is_a_paraboloid(subjects: Any, analyse: Any) -> None:
    (subject,) = subjects(**LINEAR)
    finding = analyse([subject], kind="landscape", points=7, extent=3.0, precision="float64")
    problem = Problem.of(subject, precision="float64")
    x = torch.cat([problem.table.x, torch.ones(problem.rows, 1)], 1).double()
    a, b = (random_direction(problem, 0, i, "filter") for i in range(2))
    for i, v in enumerate(finding.arrays["y"]):
        for j, u in enumerate(finding.arrays["x"]):
            rest = x @ (problem.weights + u * a + v * b) - problem.table.targets[:, 0]
            assert finding.arrays["loss"][i, j] == pytest.approx(float(rest.square().mean() / 2))
    assert finding.values["cosine"] == pytest.approx(float(a @ b / a.norm() / b.norm()))
    assert finding.values["loss"] == pytest.approx(finding.arrays["loss"][3, 3])


def test_a_line_says_its_standard_error_and_accuracy(subjects: Any, analyse: Any) -> None:
    (subject,) = subjects()
    finding = analyse([subject], kind="landscape", dimensions=1, points=5, rows=50)
    problem = Problem.of(subject, rows=50)
    losses, right = problem.judged(problem.weights)
    assert finding.arrays["loss"].shape == (5,)
    assert finding.arrays["loss_error"][2] == pytest.approx(float(losses.std()) / 50**0.5)
    assert finding.arrays["accuracy"][2] == pytest.approx(float(right.mean()))


def test_points_taken_together_are_those_taken_one_by_one(subjects: Any) -> None:
    problem = Problem.of(subjects()[0], precision="float64")
    problem.chunk = 50
    points = [problem.weights + 0.1 * problem.random(0, "direction", i) for i in range(70)]
    assert _at_once(problem, problem.rows) > 8
    held = Held({})
    found = finish(heights(problem, 70, points.__getitem__, held, {"train": problem.table}))["train"]
    assert len(held.series("heights")) < 10
    for i, w in enumerate(points):
        losses, right = problem.judged(w)
        assert found.loss[i] == pytest.approx(float(losses.mean()), rel=1e-12)
        assert found.error[i] == pytest.approx(float(losses.std()) / problem.rows**0.5)
        assert found.accuracy[i] == float(right.mean())


def test_statistics_of_batch_norm_are_taken_anew_at_every_point(subjects: Any, analyse: Any) -> None:
    (subject,) = subjects(**NORMED)
    line = {"kind": "landscape", "dimensions": 1, "points": 3, "extent": 0.5}
    finding = analyse([subject], **line)
    problem = Problem.of(subject)
    end = problem.weights + 0.5 * random_direction(problem, 0, 0, "filter")
    problem.reestimate(end)
    assert finding.arrays["loss"][2] == pytest.approx(problem.loss(end))
    assert finding.meta["batch_norm"] == "reestimated"
    kept = analyse([subject], **line, batch_norm="kept")
    assert kept.meta["batch_norm"] == "kept"
    assert kept.arrays["loss"][2] != pytest.approx(finding.arrays["loss"][2], rel=1e-3)


def test_the_plane_of_a_trajectory_is_that_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    path = torch.cumsum(torch.randn(12, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64), 0)
    plane, other = principal_plane(path), PCA(2).fit((path - path[-1]).numpy())
    np.testing.assert_allclose(plane.explained, other.explained_variance_ratio_)
    for axis, theirs in zip(plane.axes, other.components_, strict=True):
        assert abs(float(axis @ torch.from_numpy(theirs))) == pytest.approx(1)
    np.testing.assert_allclose(plane.places, (path - path[-1]) @ torch.stack(plane.axes, 1), atol=1e-12)
    np.testing.assert_allclose(plane.places[-1], 0)


def test_a_trajectory_lies_within_the_grid_of_its_plane(subjects: Any, analyse: Any) -> None:

    (subject,) = subjects(8, **{**LINEAR, "dataset": {"kind": "diabetes"}, "budget": {"steps": 40}})
    finding = analyse([subject], kind="trajectory", points=5)
    assert finding.arrays["steps"].tolist() == [8, 16, 24, 32, 40]
    assert finding.values["explained_1"] > finding.values["explained_2"] > 0
    assert finding.arrays["loss"].shape == (5, 5)
    assert finding.arrays["x"][0] < finding.arrays["places"][:, 0].min()
    assert finding.arrays["y"][-1] > finding.arrays["places"][:, 1].max()
    problem = Problem.of(subject)
    assert finding.values["loss"] == pytest.approx(problem.loss(problem.weights))


def test_a_trajectory_of_one_checkpoint_is_refused(subjects: Any, analyse: Any) -> None:
    with pytest.raises(DataError, match="at least 3 checkpoints, there are 1"):
        analyse(subjects(), kind="trajectory")


@pytest.mark.parametrize("spec", [{}, NORMED], ids=["plain", "normalised"])
def test_a_landscape_killed_after_every_piece_ends_with_the_same_bits(
    spec: dict[str, Any], subjects: Any, analyse: Any, torn: Any, equal: Any
) -> None:
    given = subjects(**spec)
    document = {"kind": "landscape", "points": 9}
    finding, pieces = torn(given, **document)
    assert pieces > 2
    assert equal(finding, analyse(given, **document))


def test_a_plane_killed_after_every_piece_ends_with_the_same_bits(
    subjects: Any, analyse: Any, torn: Any, equal: Any
) -> None:
    given = subjects(**NORMED, seeds=3)
    document = {"kind": "plane", "points": 4}
    finding, pieces = torn(given, **document)
    assert pieces > 2
    assert equal(finding, analyse(given, **document))


def test_the_plane_through_three_cells_holds_them_and_what_lies_between(subjects: Any, analyse: Any) -> None:
    given = subjects(**LINEAR, seeds=3)
    finding = analyse(given, kind="plane", points=5, precision="float64")
    problem = Problem.of(given[0], precision="float64")
    a, b, c = (problem.flatten(one.last) for one in given)
    places = finding.arrays["places"]
    lengths = [float((one - other).norm()) for one, other in ((a, b), (a, c), (b, c))]
    apart = [np.linalg.norm(places[i] - places[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(apart, lengths)
    assert (places[0] == 0).all() and places[1, 1] == 0
    for i, y in enumerate(finding.arrays["y"]):
        for j, x in enumerate(finding.arrays["x"]):
            shares = np.linalg.solve(places[1:].T, [x, y])  # w = a + s (b - a) + t (c - a)
            w = a + float(shares[0]) * (b - a) + float(shares[1]) * (c - a)
            assert finding.arrays["loss"][i, j] == pytest.approx(problem.loss(w), rel=1e-9)
    assert finding.arrays["x"][0] < places[:, 0].min() and finding.arrays["y"][-1] > places[:, 1].max()


def test_three_cells_on_one_line_have_no_plane(subjects: Any, analyse: Any) -> None:
    one, other = subjects(**LINEAR, seeds=2)
    with pytest.raises(DataError, match="lie on one line"):
        analyse([one, other, other], kind="plane")
    with pytest.raises(DataError, match="lie on one line"):
        analyse([one, one, other], kind="plane")
