"""A refactoring changes no number: runs under fixed seeds against values that were kept (`python test_golden.py`
writes them anew, for a change that is meant)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.engines import by_name
from batchlab.expand import expand
from batchlab.metrics import TIMED_RESULTS
from batchlab.spec import parse_spec

KEPT = Path(__file__).with_name("golden.json")
EVERY = 12
"""Updates between two kept values."""
SPECS: dict[str, dict[str, Any]] = {
    "the textbook's softmax": {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [36],
        "lr": {"rule": "fixed", "base": 0.5},
        "seeds": [3],
    },
    "a network under momentum and a warm-up": {
        "dataset": {"kind": "iris"},
        "model": {"kind": "mlp", "widths": [16]},
        "batch_sizes": ["20%"],
        "lr": {"rule": "linear", "base": 0.05, "base_batch": 12},
        "momentum": 0.9,
        "optimizer": {"kind": "sgd", "nesterov": True, "weight_decay": 0.0005},
        "schedule": {"kind": "warmup", "length": 0.2, "start": 0.1, "then": {"kind": "cosine"}},
        "init": "kaiming",
    },
    "pictures under adam": {
        "dataset": {"kind": "digits"},
        "model": {"kind": "cnn", "channels": [4]},
        "batch_sizes": [300],
        "lr": {"rule": "fixed", "base": 0.01},
        "optimizer": {"kind": "adam"},
    },
    "a regression": {
        "dataset": {"kind": "diabetes", "validation": 42},
        "model": {"kind": "linear"},
        "batch_sizes": ["full"],
        "lr": {"rule": "sqrt", "base": 0.01, "base_batch": 25},
    },
}


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Every so many values of each curve, and the result, of the one cell of a spec."""
    (cell,) = expand(parse_spec({"budget": {"steps": 48}, "evaluate": {"every_steps": 24}, **spec}))
    ((block, _),) = by_name("reference").train([cell], cell.dataset.load(Path()), block_seconds=1e9)
    own = block.cells[0]
    assert own.ending is not None
    curves = {name: values[::EVERY].tolist() for name, values in own.updates.items() if name != "step_seconds"}
    evaluations = {name: values.tolist() for name, values in own.evaluations.items()}
    result = {name: value for name, value in own.ending.result.items() if name not in TIMED_RESULTS}
    return {"curves": curves | evaluations, "result": result}


@pytest.mark.parametrize("name", SPECS)
def test_a_run_gives_the_kept_values(name: str) -> None:
    found, kept = measure(SPECS[name]), json.loads(KEPT.read_text())[name]
    assert found["curves"].keys() == kept["curves"].keys()
    for metric, values in kept["curves"].items():
        np.testing.assert_allclose(found["curves"][metric], values, rtol=5e-5, err_msg=metric)
    assert found["result"] == {
        key: pytest.approx(value, rel=5e-5) if isinstance(value, float) else value
        for key, value in kept["result"].items()
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    KEPT.write_text(json.dumps({name: measure(spec) for name, spec in SPECS.items()}, indent=1) + "\n")
