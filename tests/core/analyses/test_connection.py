"""Between two solutions: lines, arcs, trained curves, and the order of hidden units."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.analyses import Analysis
from batchlab.analyses.alignment import aligned, distance
from batchlab.analyses.paths import barrier, bent, falling, length, parts_of, sine, straight
from batchlab.analyses.problem import Problem
from batchlab.errors import SpecError
from pydantic import TypeAdapter

PAIR: dict[str, Any] = {"seeds": [0, 1], "split_seed": 0}
NORMED: dict[str, Any] = {"model": {"kind": "mlp", "widths": [6, 5], "norm": {"kind": "batch"}}, **PAIR}


def test_a_barrier_is_measured_from_the_line_between_the_ends() -> None:
    t = np.array([-1.0, 0.0, 0.5, 0.75, 1.0, 2.0])
    assert barrier(t, np.array([9.0, 1.0, 4.0, 4.0, 3.0, 9.0])) == pytest.approx(2.0)
    assert barrier(t, np.array([9.0, 1.0, 1.5, 2.0, 3.0, 9.0])) == 0.0


def test_paths_begin_and_end_at_the_solutions() -> None:
    first, bend, last = torch.eye(3, dtype=torch.float64)
    for path in (
        straight(first, last),
        sine(first, last),
        bent("bezier", first, bend, last),
        bent("polygon", first, bend, last),
    ):
        torch.testing.assert_close(path(0.0), first)
        torch.testing.assert_close(path(1.0), last)
    assert bent("polygon", first, bend, last)(0.5).tolist() == bend.tolist()
    assert bent("bezier", first, bend, last)(0.5).tolist() == [0.25, 0.5, 0.25]
    assert float(sine(first, last)(0.3).norm()) == pytest.approx(1)
    assert length(bent("polygon", first, bend, last), np.linspace(0, 1, 5)) == pytest.approx(2 * 2**0.5)
    assert length(sine(first, last), np.linspace(0, 1, 1001)) == pytest.approx(np.pi / 2, rel=1e-5)


@pytest.mark.parametrize("shape", ["bezier", "polygon"])
def test_the_parts_of_a_path_sum_to_one(shape: Any) -> None:
    for t in np.linspace(0, 1, 11):
        assert sum(parts_of(shape, float(t))) == pytest.approx(1)
        assert min(parts_of(shape, float(t))) >= 0


def test_the_rate_of_a_bend_falls_as_in_the_source() -> None:
    """0.1 over 200 epochs: 0.0505 after 140, 0.001 after 180."""
    assert [0.1 * falling(epoch / 200) for epoch in (50, 140, 180, 199)] == pytest.approx([0.1, 0.0505, 0.001, 0.001])


def test_a_line_through_two_linear_regressions_is_a_parabola_without_a_barrier(subjects: Any, analyse: Any) -> None:
    spec = {"dataset": {"kind": "diabetes"}, "model": {"kind": "linear"}, "lr": {"rule": "fixed", "base": 0.02}, **PAIR}
    given = subjects(**spec, init="xavier")
    finding = analyse(given, kind="interpolation", precision="float64", points=13)
    t, loss = finding.arrays["t"], finding.arrays["loss"]
    np.testing.assert_allclose(np.polyval(np.polyfit(t, loss, 2), t), loss, rtol=1e-9)
    assert finding.values["barrier"] == 0.0
    for at, subject in zip((0.0, 1.0), given, strict=True):
        assert loss[t == at] == pytest.approx(subject.result["train_loss"], rel=1e-6)
        assert finding.arrays["val_loss"][t == at] == pytest.approx(subject.result["val_loss"], rel=1e-6)


def test_the_arc_ends_where_the_line_does(subjects: Any, analyse: Any) -> None:
    given = subjects(**PAIR)
    line, arc = (analyse(given, kind="interpolation", curve=curve, low=0.0, high=1.0) for curve in ("line", "sine"))
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(line.arrays[name][[0, -1]], arc.arrays[name][[0, -1]], rtol=1e-6)
    assert arc.arrays["loss"][12] != pytest.approx(line.arrays["loss"][12], rel=1e-3)


def test_a_straight_line_has_a_barrier_and_a_trained_curve_has_none(subjects: Any, analyse: Any) -> None:
    """Two networks trained from different starts on handwritten digits."""
    spec = {"dataset": {"kind": "digits"}, "model": {"kind": "mlp", "widths": [32]}, "budget": {"steps": 400}}
    given = subjects(**spec, lr={"rule": "fixed", "base": 0.3}, **PAIR)
    for shape in ("bezier", "polygon"):
        finding = analyse(given, kind="connecting_path", shape=shape, updates=600, lr=0.1, rows=700, points=21)
        assert finding.values["straight_barrier"] > 0.2
        assert finding.values["barrier"] < 0.05 * finding.values["straight_barrier"]
        assert finding.values["length"] > finding.values["distance"]
        ends = (finding.values["loss_first"], finding.values["loss_second"])
        assert finding.values["highest"] == max(ends)  # nowhere higher than at its ends


def shuffled(problem: Problem) -> torch.Tensor:
    """The weights with the units of a network's only hidden layer in another order."""
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    parts = dict(problem.unflatten(problem.weights))
    parts["hidden1.weight"], parts["hidden1.bias"] = parts["hidden1.weight"][order], parts["hidden1.bias"][order]
    parts["out.weight"] = parts["out.weight"][:, order]
    return torch.cat([part.flatten() for part in parts.values()])


def test_alignment_finds_the_units_of_the_same_network_again(subjects: Any) -> None:
    problem = Problem.of(subjects()[0])
    other = shuffled(problem)
    assert problem.loss(other) == pytest.approx(problem.loss(problem.weights))
    assert not torch.equal(other, problem.weights)
    assert torch.equal(aligned(problem, problem.weights, other, 0), problem.weights)


@pytest.mark.parametrize("spec", [PAIR, NORMED], ids=["plain", "normalised"])
def test_alignment_keeps_the_function_and_comes_nearer(spec: dict[str, Any], subjects: Any) -> None:
    one, other = (Problem.of(subject) for subject in subjects(**spec))
    moved = aligned(other, one.weights, other.weights, 0)
    assert distance(moved, one.weights) < distance(other.weights, one.weights)
    assert float(moved.norm()) == pytest.approx(float(other.weights.norm()))
    other.settle(moved)
    own = other.loss(moved)
    other.settle(other.weights)
    assert own == pytest.approx(other.loss(other.weights), rel=1e-5)


def test_a_matrix_of_barriers_holds_those_of_the_lines(subjects: Any, analyse: Any) -> None:
    given = subjects(seeds=[0, 1, 2], split_seed=0)
    matrix = analyse(given, kind="barrier_matrix")
    line = analyse([given[0], given[2]], kind="interpolation", low=0.0, high=1.0, points=11)
    assert matrix.arrays["barriers"][0, 2] == pytest.approx(line.values["barrier"], rel=1e-6)
    assert matrix.arrays["distances"][0, 2] == pytest.approx(line.values["distance"])
    np.testing.assert_array_equal(matrix.arrays["barriers"], matrix.arrays["barriers"].T)
    assert not matrix.arrays["barriers"].diagonal().any()
    assert matrix.values["pairs"] == 3


def test_networks_of_different_shapes_are_refused(cells: Any) -> None:
    small = cells()[0]
    wide = cells(model={"kind": "mlp", "widths": [8]})[0]
    line = TypeAdapter(Analysis).validate_json('{"kind": "interpolation"}')
    line.check([small, small])
    with pytest.raises(SpecError, match="different networks"):
        line.check([small, wide])


def test_other_layers_than_dense_ones_are_not_aligned(cells: Any) -> None:
    cell = cells(dataset={"kind": "digits"}, model={"kind": "cnn"})[0]
    with pytest.raises(SpecError, match="only dense layers"):
        TypeAdapter(Analysis).validate_json('{"kind": "interpolation", "align": true}').check([cell])


@pytest.mark.parametrize("spec", [PAIR, NORMED], ids=["plain", "normalised"])
@pytest.mark.parametrize(
    "document",
    [
        {"kind": "interpolation", "points": 9, "align": True},
        {"kind": "connecting_path", "points": 9, "updates": 50, "batch": 32},
        {"kind": "barrier_matrix", "points": 5},
    ],
    ids=["line", "curve", "matrix"],
)
def test_a_connection_killed_after_every_piece_ends_with_the_same_bits(
    document: dict[str, Any], spec: dict[str, Any], subjects: Any, analyse: Any, torn: Any, equal: Any
) -> None:
    given = [replace(subject, result=None) for subject in subjects(**spec)]
    finding, pieces = torn(given, **document)
    assert pieces > 1
    assert equal(finding, analyse(given, **document))
