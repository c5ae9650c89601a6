"""Whole specs with the core alone, and the textbook's figure in small."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batchlab.engines import by_name, choose, device_for, fingerprint, plan
from batchlab.errors import DataError
from batchlab.results import group_cells
from batchlab.run import run
from batchlab.spec import parse_spec
from batchlab.studies import STUDIES

Document = Callable[..., dict[str, Any]]


def rows(document: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    return [item.row for item in run(parse_spec(document), folder) if item.row is not None]


def test_every_cell_is_trained_in_order_with_progress(document: Document, tmp_path: Path) -> None:
    items = list(run(parse_spec(document(seeds=2, engine="reference")), tmp_path, block_seconds=0.0))
    assert [item.steps_done for item in items] == [*range(1, 31)] * 2
    assert [item.cell.ordinal for item in items if item.row] == [0, 1]
    (group,) = group_cells([item.row for item in items if item.row])
    assert group["n"] == 2
    assert group["val_loss"]["ci95"] is not None


def test_a_cell_out_of_time_fails_and_the_next_is_trained(document: Document, tmp_path: Path) -> None:
    limited = document(seeds=2, limits={"seconds_per_cell": 1e-9}, engine="reference")
    found = list(run(parse_spec(limited), tmp_path, block_seconds=0.0))
    ended = [item.row for item in found if item.row]
    assert [(row["status"], row["cause"], row["seed"]) for row in ended] == [
        ("failed", "timeout", 0),
        ("failed", "timeout", 1),
    ]


def test_variants_may_differ_in_their_data(document: Document, tmp_path: Path) -> None:
    variants = [{"name": "iris", "dataset": {"kind": "iris"}}, {"name": "wine", "dataset": {"kind": "wine"}}]
    found = rows(document(variants=variants, batch_sizes=["full"]), tmp_path)
    assert [row["variant"] for row in found] == ["iris", "wine"]


def test_missing_data_is_told_before_training(document: Document, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="batchlab data fetch mnist"):
        rows(document(dataset={"kind": "mnist"}), tmp_path)


RERUN = {
    "mean_grad_norm_weights": (0.0268, 0.0278),
    "mean_grad_norm_biases": (0.0282, 0.0299),
    "best_val_loss": (0.1231, 0.1761),
}
"""Lowest and highest of five seeds of an independent program, at batch size 128."""


def test_figure_6_7_1_is_met_in_full_at_its_largest_batch(tmp_path: Path) -> None:
    (group,) = group_cells(rows(STUDIES["grad-norm-vs-batch"].spec("full", {"batch_sizes": [128]}), tmp_path))
    assert group["n"] == 5
    for name, (low, high) in RERUN.items():
        assert 0.95 * low < group[name]["mean"] < 1.05 * high


def test_norms_fall_and_the_best_loss_rises_with_the_batch(tmp_path: Path) -> None:
    few = {"budget": {"epochs": 100}, "batch_sizes": [16, 32, 64], "seeds": 1}
    results = [row["result"] for row in rows(STUDIES["grad-norm-vs-batch"].spec("small", few), tmp_path)]
    for name, sign in (("mean_grad_norm_weights", -1), ("mean_grad_norm_biases", -1), ("best_val_loss", 1)):
        values = [sign * result[name] for result in results]
        assert values == sorted(values)


def test_the_reference_trains_what_no_other_engine_asks_for(document: Document) -> None:
    (item, *_) = run(parse_spec(document(optimizer={"kind": "adam"})), Path())
    assert choose(item.cell, "cpu").name == by_name("reference").name == "reference"
    assert plan([item.cell], "cpu") == ("reference", 1)
    with pytest.raises(KeyError):
        by_name("warp")


@pytest.mark.parametrize(
    ("own", "asked", "device"),
    [("cpu", "auto", "cpu"), ("cuda:1", "auto", "cuda:1"), ("cuda:1", "cpu", "cpu"), ("cpu", "cuda", "cuda:0")],
)
def test_a_cell_goes_to_the_device_that_it_asks_for(own: str, asked: str, device: str) -> None:
    assert device_for(own, asked) == device


def test_a_fingerprint_names_what_bits_depend_on() -> None:
    found = fingerprint("reference", "cpu")
    assert found.keys() == {"engine", "device", "device_name", "torch", "cuda", "numpy", "threads"}
    assert found["threads"] == 1
