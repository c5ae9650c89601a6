"""Cells that begin with trained weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab.cell import Cell
from batchlab.engines import choose, pretrained
from batchlab.engines.compiled import support
from batchlab.engines.reference import Reference
from batchlab.errors import SpecError
from batchlab.pretraining import MOST_ROWS
from batchlab.run import run
from batchlab.spec import parse_spec

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]
FIRST: dict[str, Any] = {"dataset": {"kind": "iris"}, "lr": 0.1, "momentum": 0.9, "epochs": 4, "batch_size": 50}
TUNED: dict[str, Any] = {
    "dataset": {"kind": "iris"},
    "model": {"kind": "mlp", "widths": [6], "norm": {"kind": "batch"}},
    "batch_sizes": [20],
    "split_seed": 0,
    "pretraining": FIRST,
    "lr": {"rule": "fixed", "base": 0.01},
}
DIRECT = {"lr": {"rule": "fixed", "base": 0.1}, "momentum": 0.9, "budget": {"epochs": 4}, "batch_sizes": [50]}


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_cell_begins_where_a_training_by_the_same_numbers_ends(precision: str, cells: Cells, train: Train) -> None:
    (tuned,) = cells(**TUNED, precision=precision)
    (direct,) = cells(**{**TUNED, **DIRECT, "pretraining": None}, precision=precision)
    found, expected = train(tuned), train(direct)
    for metric in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        assert found.curve(metric)[0] == expected.curve(metric)[-1], metric
    assert found.curve("train_loss")[-1] != found.curve("train_loss")[0]


def test_all_cells_of_a_sweep_begin_alike_and_are_pre_trained_once(
    cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Cell] = []
    trained = pretrained._trained
    monkeypatch.setattr(pretrained, "_LATEST", {})
    monkeypatch.setattr(pretrained, "_trained", lambda *given: (calls.append(given[1]), trained(*given))[1])
    sweep = cells(**{**TUNED, "batch_sizes": [10, 40]}, seeds=2)
    assert len({float(train(cell).curve("val_loss")[0]) for cell in sweep}) == 1
    assert len(calls) == 1


def test_other_numbers_give_another_beginning(cells: Cells, train: Train) -> None:
    starts = set()
    for change in ({}, {"seed": 1}, {"epochs": 5}, {"lr": 0.05}, {"dataset": {"kind": "iris", "take": 60}}):
        (cell,) = cells(**{**TUNED, "pretraining": FIRST | change})
        starts.add(float(train(cell).curve("val_loss")[0]))
    assert len(starts) == 5


def test_a_cell_that_is_resumed_is_not_pre_trained_again(
    cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells(**TUNED)
    whole = train(cell, block_steps=10)
    monkeypatch.setattr(pretrained, "weights", lambda *_: pytest.fail("pre-trained again"))
    rest = train(cell, state=whole.states[0])
    assert rest.result["val_loss"] == whole.result["val_loss"]


def test_the_distance_is_counted_from_the_trained_weights(cells: Cells, train: Train, tmp_path: Path) -> None:
    (cell,) = cells(**TUNED, probes=[{"kind": "distance"}])
    data = cell.load(lambda dataset: dataset.load(tmp_path))
    assert cell.pretraining is not None
    found = train(cell, block_steps=1)
    begun = pretrained.weights(Reference(), cell, cell.pretraining, data, "cpu")
    state = found.states[-1].arrays
    names = [name for name in begun if "running" not in name and "num_batches" not in name]
    moved = np.sqrt(sum(float(np.square(state[f"net/{name}"] - begun[name]).sum()) for name in names))
    assert found.curve("distance")[-1] == pytest.approx(moved, rel=1e-5)


def test_the_compiled_engine_leaves_such_cells_to_the_reference(cells: Cells) -> None:
    network = {"kind": "mlp", "widths": [6]}
    (cell,), (plain,) = cells(**{**TUNED, "model": network}), cells(**{**TUNED, "model": network, "pretraining": None})
    assert (support.obstacle(cell), choose(cell, "cpu").name) == ("pretraining", "reference")
    assert choose(plain, "cpu").name == "compiled"


def test_a_cell_read_back_from_json_is_the_same(cells: Cells) -> None:
    (cell,) = cells(**TUNED)
    assert Cell.model_validate_json(cell.model_dump_json()) == cell


def test_a_whole_spec_with_an_arm_from_scratch_is_trained_with_the_core_alone(tmp_path: Path) -> None:
    variants = [{"name": "fine-tuned"}, {"name": "from scratch", "pretraining": None}]
    spec = parse_spec({**TUNED, "budget": {"steps": 1}, "lr": {"rule": "fixed", "base": 1e-6}, "variants": variants})
    tuned, scratch = [item.row["result"] for item in run(spec, tmp_path) if item.row is not None]
    assert tuned["train_loss"] < scratch["train_loss"]


def test_data_that_were_not_loaded_are_missed(cells: Cells, train: Train, tmp_path: Path) -> None:
    (cell,) = cells(**TUNED)
    with pytest.raises(ValueError, match=r"Cell\.load"):
        train(cell, data=cell.dataset.load(tmp_path))


SURFACE = {"dataset": {"kind": "slopes"}, "model": {"kind": "surface", "surface": {"kind": "saddle", "bound": 1.0}}}
REFUSED: list[tuple[dict[str, Any], dict[str, Any], tuple[Any, ...], str]] = [
    ({}, {"dataset": {"kind": "digits"}}, ("dataset",), "shape (1, 8, 8), what follows (4,)"),
    ({}, {"dataset": {"kind": "blobs", "features": 4, "classes": 5}}, ("dataset",), "5 classes, what follows 3"),
    ({}, {"dataset": {"kind": "iris", "take": 1000}}, ("dataset", "take"), "take at most"),
    ({}, {"dataset": {"kind": "user", "name": "mine"}}, ("dataset", "kind"), "one that the lab brings along"),
    ({}, {"batch_size": 121}, ("batch_size",), "use at most 120"),
    ({}, {"batch_size": 1}, ("batch_size",), "batch norm"),
    ({}, {"epochs": MOST_ROWS // 120 + 1}, ("epochs",), "over the limit"),
    ({}, {"lr": 0.0}, ("lr",), "greater than 0"),
    ({"split_seed": None, **SURFACE, "batch_sizes": [4]}, {}, (), "surface"),
]


@pytest.mark.parametrize(("changes", "own", "loc", "words"), REFUSED)
def test_what_cannot_come_before_is_refused_with_its_path(
    changes: dict[str, Any], own: dict[str, Any], loc: tuple[Any, ...], words: str, cells: Cells
) -> None:
    with pytest.raises(SpecError) as refused:
        cells(**{**TUNED, **changes, "pretraining": FIRST | own})
    fault = refused.value.faults[0]
    assert fault.loc == ("pretraining", *loc)
    assert words in fault.msg


def test_the_compiled_engine_cannot_be_asked_for(cells: Cells) -> None:
    with pytest.raises(SpecError) as refused:
        cells(**TUNED, engine="compiled")
    assert refused.value.faults[0].loc == ("engine",)
