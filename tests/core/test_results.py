"""Groups: cells that differ in their seed alone."""

from typing import Any

import pytest
from batchlab.results import AVERAGED, group_cells

NOTHING = {"mean": None, "sd": None, "ci95": None}


def cell(seed: int, status: str = "succeeded", batch_size: int = 4, **result: Any) -> dict[str, Any]:
    point = {"variant": None, "batch_size": batch_size, "lr": 0.5, "momentum": 0.0, "params": {"beta1": 0.9}}
    return {**point, "seed": seed, "status": status, "result": result or None}


def test_seeds_of_a_point_are_averaged_with_their_interval() -> None:
    (group,) = group_cells([cell(0, val_loss=1.0), cell(1, val_loss=2.0), cell(2, val_loss=3.0)])
    assert group["by"] == {"variant": None, "batch_size": 4, "lr": 0.5, "momentum": 0.0, "beta1": 0.9}
    assert (group["n"], group["n_diverged"], group["n_failed"]) == (3, 0, 0)
    assert group["val_loss"]["mean"] == 2.0
    assert group["val_loss"]["sd"] == 1.0
    assert group["val_loss"]["ci95"] == pytest.approx([-0.4841377, 4.4841377])


def test_one_seed_has_no_interval() -> None:
    (group,) = group_cells([cell(0, val_loss=1.0)])
    assert group["val_loss"] == {"mean": 1.0, "sd": None, "ci95": None}


def test_diverged_and_failed_cells_are_counted_not_averaged() -> None:
    rows = [
        cell(0, val_loss=1.0), cell(1, "diverged", val_loss=None, best_val_loss=9.0), cell(2, "failed"),
        cell(3, "queued"), cell(4, "cancelled"),
    ]  # fmt: skip
    (group,) = group_cells(rows)
    assert (group["n"], group["n_diverged"], group["n_failed"]) == (1, 1, 1)
    assert group["val_loss"]["mean"] == 1.0
    assert group["best_val_loss"] == NOTHING


def test_a_metric_that_no_cell_has_is_null() -> None:
    (group,) = group_cells([cell(0, val_accuracy=None), cell(1, val_accuracy=None)])
    assert group["val_accuracy"] == NOTHING


def test_a_point_without_a_succeeded_cell_has_every_metric_without_a_number() -> None:
    ended, diverged, queued = group_cells(
        [cell(0, val_loss=1.0, **{"mean_grad_norm/b": 2.0}), cell(0, "diverged", 8, updates=7), cell(0, "queued", 16)]
    )
    assert (
        ended.keys()
        == diverged.keys()
        == queued.keys()
        == {"by", "n", "n_diverged", "n_failed", "mean_grad_norm/b", *AVERAGED}
    )
    assert [diverged[name] for name in (*AVERAGED, "mean_grad_norm/b")] == [NOTHING] * 11


def test_points_come_in_the_order_of_their_cells() -> None:
    groups = group_cells([cell(0, batch_size=9), cell(0, batch_size=4), cell(1, batch_size=9)])
    assert [(g["by"]["batch_size"], g["n"]) for g in groups] == [(9, 2), (4, 1)]


def test_words_and_steps_of_divergence_are_not_averaged() -> None:
    (group,) = group_cells([cell(0, timing="step", diverged_at=None, best_val_loss_step=40)])
    assert group.keys() == {"by", "n", "n_diverged", "n_failed", *AVERAGED, "best_val_loss_step"}


def test_a_group_says_how_many_of_its_cells_reached_the_target() -> None:
    rows = [cell(0, target_step=10), cell(1, target_step=None), cell(2, target_step=20), cell(3, "diverged")]
    (group,) = group_cells(rows)
    assert (group["n"], group["n_reached"], group["target_step"]["mean"]) == (3, 2, 15.0)
    (without,) = group_cells([cell(0, val_loss=1.0)])
    assert "n_reached" not in without
