"""Training can be taken up after any update, and ends with the same bits."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from batchlab import state
from batchlab.cell import Cell
from batchlab.metrics import TIMED_RESULTS

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]

CASES: dict[str, dict[str, Any]] = {
    **{
        f"{kind} with decay": {
            "dataset": {"kind": "iris"},
            "model": {"kind": "mlp", "widths": [6]},
            "lr": {"rule": "fixed", "base": 0.01},
            "batch_sizes": [50],
            "optimizer": {"kind": kind, "weight_decay": 0.01},
            "budget": {"steps": 12},
            "schedule": {"kind": "warmup", "length": 5, "unit": "steps"},
            "momentum": 0.0 if kind in ("adagrad", "adamw", "lamb") else 0.9,
        }
        for kind in ("adagrad", "rmsprop", "adamw", "lars", "lamb", "rmsprop_warmup", "sam", "asam")
    },
    "smoothed labels and clipped gradients": {"batch_sizes": [300], "label_smoothing": 0.1, "clip": {"norm": 0.05}},
    "held near the start of each update": {"proximal": {"strength": 0.1}, "momentum": 0.9, "clip": {"value": 0.01}},
    "against an adversary": {"adversarial": {"kind": "fgsm"}, "budget": {"steps": 12}},
    "made stable by noise": {"adversarial": {"kind": "stability"}, "budget": {"steps": 12}},
    "changed pictures": {
        "dataset": {"kind": "digits"},
        "augment": [{"kind": "crop", "padding": 1}, {"kind": "flip"}, {"kind": "cutout", "size": 3}],
        "optimizer": {"kind": "sam"},
        "batch_sizes": [500],
        "budget": {"steps": 10},
    },
    "averaged weights": {"average": {"kind": "swa", "start": 0.4, "every": 5}, "momentum": 0.9},
    "averaged members": {
        "dataset": {"kind": "iris"},
        "model": {"kind": "mlp", "widths": [6], "norm": {"kind": "batch"}},
        "batch_sizes": [50],
        "average": {"kind": "swap", "start": 4, "unit": "steps", "members": 3},
        "optimizer": {"kind": "adam"},
        "lr": {"rule": "fixed", "base": 0.01},
        "budget": {"steps": 15},
        "evaluate": {"every_steps": 4},
    },
    "softmax": {"batch_sizes": [36], "budget": {"epochs": 2}},
    "full batch": {"batch_sizes": ["full"]},
    "nesterov on a warm-up": {
        "batch_sizes": [96],
        "momentum": 0.9,
        "optimizer": {"kind": "sgd", "nesterov": True, "weight_decay": 0.001},
        "schedule": {"kind": "warmup", "length": 0.3, "then": {"kind": "cosine"}},
    },
    "adam on a network": {
        "dataset": {"kind": "iris"},
        "model": {"kind": "mlp", "widths": [8, 8], "activation": "tanh"},
        "optimizer": {"kind": "adam"},
        "lr": {"rule": "fixed", "base": 0.01},
        "batch_sizes": [50],
        "shuffle": "once",
    },
    "fine-tuned weights": {
        "dataset": {"kind": "iris", "take": 60, "data_seed": 1},
        "model": {"kind": "mlp", "widths": [6], "norm": {"kind": "batch"}},
        "pretraining": {"dataset": {"kind": "iris"}, "lr": 0.1, "momentum": 0.9, "epochs": 3, "batch_size": 50},
        "probes": [{"kind": "distance"}],
        "batch_sizes": [20],
        "budget": {"steps": 8},
    },
    "pictures in double precision": {
        "dataset": {"kind": "digits"},
        "model": {"kind": "cnn", "channels": [3], "width": 8},
        "batch_sizes": [600],
        "precision": "float64",
        "budget": {"steps": 9},
    },
    **{
        f"pictures of several channels under {kind}": {
            "dataset": {"kind": "digits"},
            "model": {"kind": "cnn", "channels": [3, 5], "width": 8},
            "batch_sizes": [600],
            "optimizer": {"kind": kind},
            "lr": {"rule": "fixed", "base": 0.01},
            "momentum": 0.0 if kind == "adam" else 0.9,
            "probes": [{"kind": kind} for kind in ("grad_norm", "update_norm", "param_norm", "distance")],
            "pretraining": {"dataset": {"kind": "digits"}, "lr": 0.1, "epochs": 1, "batch_size": 600},
            "budget": {"steps": 6},
        }
        for kind in ("sgd", "adam")
    },
    "dropout and ghost batch norm": {
        "dataset": {"kind": "iris"},
        "model": {"kind": "mlp", "widths": [8], "dropout": 0.5, "norm": {"kind": "batch", "virtual_rows": 16}},
        "batch_sizes": [50],
        "budget": {"steps": 9},
    },
    "a walk on a tilted surface": {
        "dataset": {"kind": "slopes"},
        "model": {"kind": "surface", "surface": {"kind": "saddle", "bound": 1.0}},
        "batch_sizes": [4],
        "momentum": 0.9,
        "probes": [{"kind": "position"}, {"kind": "momentum_parts"}, {"kind": "distance", "radius": 0.2}],
        "budget": {"steps": 12},
        "lr": {"rule": "fixed", "base": 0.1},
    },
    "directions, roughness and further gradients": {
        "batch_sizes": [300],
        "probes": [{"kind": "direction"}, {"kind": "roughness"}, {"kind": "gradient_variance", "batches": 2}],
        "budget": {"steps": 8},
        "evaluate": {"every_steps": 3},
    },
    "to a target": {
        "batch_sizes": [4],
        "evaluate": {"every_steps": 3},
        "target": {"metric": "val_accuracy", "at_least": 0.7, "stop": True},
    },
    "to a divergence": {
        "dataset": {"kind": "diabetes"},
        "model": {"kind": "linear"},
        "lr": {"rule": "fixed", "base": 2.0},
        "evaluate": {"every_steps": 4},
    },
}
cases = pytest.mark.parametrize("case", CASES)


def facts(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what the clock says."""
    return {name: value for name, value in result.items() if name not in TIMED_RESULTS}


@cases
def test_a_cell_resumed_after_any_update_ends_with_the_same_bits(case: str, cells: Cells, train: Train) -> None:
    (cell,) = cells(**CASES[case])
    whole, stepwise = train(cell), train(cell, block_steps=1)
    assert stepwise.bits() == whole.bits()
    assert facts(stepwise.result) == facts(whole.result)
    for done, kept in enumerate(stepwise.states[:-1], start=1):
        rest = train(cell, state=state.from_bytes(state.to_bytes(kept)))
        assert rest.blocks[0].first == done + 1
        assert rest.ending.status == whole.ending.status
        assert facts(rest.result) == facts(whole.result)
        for metric, bits in rest.bits().items():
            assert whole.bits()[metric].endswith(bits), metric
        last = (rest.states[-1].arrays, whole.states[-1].arrays)
        assert digest(last[0]) == digest(last[1])


@cases
def test_two_runs_of_a_cell_are_equal_bit_for_bit(case: str, cells: Cells, train: Train) -> None:
    (cell,) = cells(**CASES[case])
    first, second = train(cell), train(cell)
    assert first.bits() == second.bits()
    assert facts(first.result) == facts(second.result)


def test_a_cell_read_back_from_json_trains_to_the_same_bits(cells: Cells, train: Train) -> None:
    (cell,) = cells(**CASES["nesterov on a warm-up"])
    assert train(Cell.model_validate_json(cell.model_dump_json())).bits() == train(cell).bits()


def test_a_cell_goes_on_in_the_parts_in_which_it_was_trained(
    cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells(dataset={"kind": "iris"}, batch_sizes=[60])
    monkeypatch.setattr("batchlab.engines.task.CPU_BYTES", 2000)
    first = train(cell, block_steps=10)
    monkeypatch.undo()
    assert first.states[0].meta["most_rows"] < 60
    rest = train(cell, state=first.states[0])
    assert facts(rest.result) == facts(first.result)
    assert facts(rest.result) != facts(train(cell).result)


def digest(arrays: Any) -> str:
    whole = hashlib.sha256()
    for name in sorted(arrays):
        whole.update(name.encode() + arrays[name].tobytes())
    return whole.hexdigest()
