"""A trained cell as a function of its weights."""

from typing import Any

import numpy as np
import pytest
import torch
from batchlab.analyses.problem import Problem
from torch import nn


def test_the_loss_of_a_problem_is_the_one_that_training_evaluated(subjects: Any) -> None:
    (subject,) = subjects()
    problem = Problem.of(subject)
    assert problem.loss(problem.weights) == pytest.approx(subject.result["train_loss"], rel=1e-6)
    assert float(problem.judged(problem.weights)[1].mean()) == pytest.approx(subject.result["train_accuracy"])
    held_out = Problem.of(subject, part="validation")
    assert held_out.loss(held_out.weights) == pytest.approx(subject.result["val_loss"], rel=1e-6)


def test_a_gradient_over_uneven_parts_is_that_of_all_rows_at_once(subjects: Any) -> None:
    (subject,) = subjects()
    problem = Problem.of(subject, precision="float64")
    loss, whole = problem.gradient(problem.weights)
    problem.chunk = 32  # 120 rows: 32, 32, 32, 24
    again, parts = problem.gradient(problem.weights)
    assert again == pytest.approx(loss, rel=1e-14)
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-15)


def test_a_gradient_is_the_slope_of_the_loss(subjects: Any) -> None:
    (subject,) = subjects()
    problem = Problem.of(subject, precision="float64")
    w, along = problem.weights, problem.random(0, "direction")
    slope = (problem.loss(w + 1e-6 * along) - problem.loss(w - 1e-6 * along)) / 2e-6
    assert float(problem.gradient(w)[1] @ along) == pytest.approx(slope, rel=1e-6)


def test_some_rows_are_the_same_ones_for_every_cell(subjects: Any) -> None:
    spec = {"seeds": [0, 1], "dataset": {"kind": "iris", "validation": 30}, "split_seed": 4}
    one, other = (Problem.of(subject, rows=40) for subject in subjects(**spec))
    assert one.rows == other.rows == 40
    assert torch.equal(one.table.x, other.table.x)
    assert one.drawn == pytest.approx(40 / 120)


def test_statistics_taken_anew_over_uneven_parts_are_those_of_all_rows(subjects: Any) -> None:
    (subject,) = subjects()
    problem = Problem.of(subject, precision="float64")
    problem.net = nn.Sequential(nn.BatchNorm1d(4, dtype=torch.float64), nn.Linear(4, 3, dtype=torch.float64)).eval()
    problem.names, problem.shapes, problem.sizes = [], [], []
    problem.outputs = lambda w, x: problem.net(x)  # type: ignore[method-assign]
    problem.chunk = 32
    problem.reestimate(torch.zeros(0))
    norm, x = problem.net[0], problem.table.x
    np.testing.assert_allclose(norm.running_mean, x.mean(0), atol=1e-14)
    assert norm.momentum == 0.1
    assert not norm.training
    problem.chunk = 128
    problem.reestimate(torch.zeros(0))
    np.testing.assert_allclose(norm.running_var, x.var(0), rtol=1e-12)
