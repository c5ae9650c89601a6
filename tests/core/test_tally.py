"""Running totals: means over finite values, first best values, times without the first updates."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab.cell import Cell
from batchlab.engines.tally import SIGNS, Best, Tally

Cells = Callable[..., tuple[Cell, ...]]


def single(*values: float) -> Any:
    return np.array(values, np.float32)


def test_only_finite_values_enter_a_mean(cells: Cells) -> None:
    tally, (cell,) = Tally(), cells()
    tally.add({"grad_norm": single(1, math.inf, 3, math.nan)}, 4)
    assert tally.result(cell, None, {})["mean_grad_norm"] == 2.0
    assert tally.done == 4


def test_a_metric_without_a_finite_value_has_no_mean(cells: Cells) -> None:
    tally, (cell,) = Tally(), cells()
    tally.add({"grad_norm": single(math.nan)}, 1)
    assert tally.result(cell, 1, {})["mean_grad_norm"] is None


def test_the_mean_noise_scale_is_the_mean_scatter_over_the_mean_signal(cells: Cells) -> None:
    (cell,) = cells(probes=[{"kind": "noise_scale"}])
    tally = Tally()
    for scatter, signal in ((8.0, 4.0), (8.0, 0.001), (8.0, -0.001)):
        seen = {"noise_scale": scatter / signal, "noise_scale_error": 1.0}
        tally.evaluated(10, seen | {"gradient_scatter": scatter, "gradient_signal": signal})
    assert tally.result(cell, None, {})["mean_noise_scale"] == pytest.approx(6.0)
    assert tally.result(cell, None, {})["mean_noise_scale_error"] is None
    tally.evaluated(20, {"gradient_signal": -9.0})
    assert tally.result(cell, None, {})["mean_noise_scale"] is None


def test_a_sum_has_the_same_bits_wherever_blocks_begin() -> None:
    values = np.random.default_rng(0).lognormal(0, 8, 1001).astype(np.float32)
    whole, parts = Tally(), Tally()
    whole.add({"grad_norm": values}, 1001)
    for part in np.split(values, [1, 2, 10, 400, 999]):
        parts.add({"grad_norm": part}, len(part))
    assert whole.sums == parts.sums
    plain = 0.0
    for value in values.tolist():
        plain += value
    assert whole.sums["grad_norm"] == plain


def test_the_first_of_equal_best_values_stays() -> None:
    best = Best()
    for step, value in enumerate([3.0, math.nan, 1.0, 1.0, -math.inf, 2.0]):
        best.offer(value, step, -1)
    assert (best.value, best.step) == (1.0, 2)


@pytest.mark.parametrize("seed", range(20))
def test_evaluations_in_a_row_count_as_each_of_them_would(seed: int) -> None:
    draws = np.random.default_rng(seed)
    together, alone, step = Tally(), Tally(), 0
    for n in draws.integers(0, 9, 8):
        # Few values, so that some are equal; the first evaluation is that of the initial weights.
        values = {name: draws.choice([0.1, 0.25, 0.5, math.nan, math.inf, -math.inf], n) for name in SIGNS}
        steps = np.arange(step, step + 3 * n, 3)
        together.evaluated_all(steps, values)
        for i in range(n):
            alone.evaluated(int(steps[i]), {name: float(column[i]) for name, column in values.items()})
        assert repr(together) == repr(alone)
        step += 3 * n
    assert together.best["val_loss"].step is not None


def test_the_initial_weights_are_no_candidate_for_the_best(cells: Cells) -> None:
    tally, (cell,) = Tally(), cells()
    tally.evaluated(0, {"val_loss": 0.1, "val_accuracy": 0.9})
    tally.evaluated(10, {"val_loss": 0.5, "val_accuracy": 0.4})
    found = tally.result(cell, None, {})
    assert (found["best_val_loss"], found["best_val_loss_step"]) == (0.5, 10)
    assert (found["best_val_accuracy"], found["best_val_accuracy_step"]) == (0.4, 10)
    assert found["val_loss"] == 0.5


def test_a_diverged_cell_keeps_its_best_and_loses_its_last(cells: Cells) -> None:
    tally, (cell,) = Tally(), cells()
    tally.evaluated(10, {"train_loss": 1.0, "val_loss": 0.5})
    found = tally.result(cell, 12, {})
    assert (found["best_val_loss"], found["val_loss"], found["train_loss"]) == (0.5, None, None)
    assert found["diverged_at"] == 12


def test_a_mean_time_leaves_out_the_first_ten_updates_of_each_start(cells: Cells) -> None:
    tally, (cell,) = Tally(), cells(budget={"steps": 1000})
    tally.add_time(np.full(6, 9.0), cell)
    tally.add_time(np.array([9.0] * 4 + [2.0] * 5), cell)
    assert tally.seconds_per_update == 2.0
    resumed = Tally.from_json(tally.to_json())
    resumed.add_time(np.array([9.0] * 10 + [5.0] * 5), cell)
    assert resumed.seconds_per_update == 3.5
    assert resumed.train_seconds == 10 * 9 + 5 * 2 + 10 * 9 + 5 * 5


def test_a_cell_with_only_first_updates_is_timed_over_all_of_them(cells: Cells) -> None:
    tally, (cell,) = Tally(), cells(budget={"steps": 1000})
    tally.add({}, 4)
    tally.add_time(np.full(4, 3.0), cell)
    assert tally.seconds_per_update == 3.0
    assert tally.result(cell, None, {})["seconds_per_epoch"] == 3.0 * cell.steps_per_epoch


def test_totals_survive_json() -> None:
    tally = Tally()
    tally.add({"grad_norm": single(0.1, 0.2)}, 2)
    tally.evaluated(2, {"val_loss": 0.3, "val_accuracy": 0.5})
    tally.target_step = 2
    back = Tally.from_json(json.loads(json.dumps(tally.to_json())))
    assert back == tally


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_result_holds_no_number_that_is_not_finite(value: float, cells: Cells) -> None:
    tally, (cell,) = Tally(), cells()
    tally.evaluated(10, {"train_loss": value, "val_loss": 0.5})
    found = tally.result(cell, None, {"test_loss": value})
    assert found["train_loss"] is found["test_loss"] is None
    json.dumps(found, allow_nan=False)
