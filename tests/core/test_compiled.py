"""The compiled engine against the reference: the same batches, curves, endings, and resumes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab import state
from batchlab.cell import Cell
from batchlab.engines import by_name, choose, fingerprint, plan
from batchlab.engines.compiled import problem, support
from batchlab.engines.compiled.maths import compiled, exponential
from batchlab.engines.compiled.run import Run
from batchlab.errors import SpecError
from batchlab.expand import expand
from batchlab.metrics import TIMED_RESULTS
from batchlab.spec import parse_spec

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]

NETWORK = {"dataset": {"kind": "digits"}, "model": {"kind": "mlp", "widths": [12, 8]}}
CASES: dict[str, dict[str, Any]] = {
    "softmax, one row": {"batch_sizes": [1], "budget": {"steps": 90}},
    "softmax, a short last batch": {"batch_sizes": [300], "budget": {"steps": 40}},
    "softmax, the whole": {"batch_sizes": ["full"]},
    "softmax under momentum and decay": {
        "batch_sizes": [7],
        "momentum": 0.9,
        "optimizer": {"kind": "sgd", "nesterov": True, "weight_decay": 0.01},
        "lr": {"rule": "fixed", "base": 0.05},
        "schedule": {"kind": "warmup", "length": 0.3, "then": {"kind": "cosine"}},
    },
    "momentum on a schedule": {
        "batch_sizes": [64],
        "momentum": 0.9,
        "schedule": {"kind": "one_cycle"},
        "lr": {"rule": "fixed", "base": 0.2},
    },
    "a large softmax": {"dataset": {"kind": "digits"}, "model": {"kind": "softmax"}, "batch_sizes": [50]},
    "a regression": {
        "dataset": {"kind": "diabetes"},
        "model": {"kind": "linear"},
        "lr": {"rule": "fixed", "base": 0.01},
    },
    "a regression without a constant": {
        "dataset": {"kind": "diabetes"},
        "model": {"kind": "linear", "bias": False},
        "lr": {"rule": "fixed", "base": 0.01},
        "reduction": "sum",
        "batch_sizes": [5],
    },
    "classes by squared error": {"loss": "half_squared_error", "batch_sizes": [9], "shuffle": "once"},
    "a network": {**NETWORK, "lr": {"rule": "fixed", "base": 0.1}},
    "a network by single rows": {**NETWORK, "lr": {"rule": "fixed", "base": 0.02}, "batch_sizes": [1]},
    "a network on the whole, nesterov": {
        **NETWORK,
        "batch_sizes": ["full"],
        "lr": {"rule": "fixed", "base": 0.1},
        "momentum": 0.9,
        "optimizer": {"kind": "sgd", "nesterov": True},
    },
    "a tanh network by squared error": {
        "dataset": {"kind": "iris"},
        "model": {"kind": "mlp", "widths": [6], "activation": "tanh"},
        "loss": "half_squared_error",
        "batch_sizes": [7],
        "shuffle": "never",
        "lr": {"rule": "fixed", "base": 0.1},
    },
    "a sigmoid network's regression": {
        "dataset": {"kind": "diabetes"},
        "model": {"kind": "mlp", "widths": [5], "activation": "sigmoid"},
        "lr": {"rule": "fixed", "base": 0.0001},
        "batch_sizes": [20],
        "momentum": 0.5,
    },
    "rows held out of the training part": {"dataset": {"kind": "sectors", "validation": 300}, "split_seed": 7},
}
cases = pytest.mark.parametrize("case", CASES)


def facts(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what the clock says."""
    return {name: value for name, value in result.items() if name not in TIMED_RESULTS}


@cases
def test_it_is_chosen_and_gives_the_references_curves(case: str, cells: Cells, train: Train) -> None:
    """No farther than 1e-5 of a curve's largest value from the run in double precision, or five times the reference's
    own distance from it: both are roundings of one computation."""
    (cell,) = cells(**CASES[case])
    assert choose(cell, "cpu").name == "compiled"
    ours, reference = train(cell, engine="compiled"), train(cell)
    exact = train(cell.model_copy(update={"precision": "float64"}))
    assert ours.metrics() == reference.metrics()
    assert ours.evaluated_at == reference.evaluated_at
    for metric in set(ours.metrics()) - {"step_seconds"}:
        truth = exact.curve(metric)
        scale = np.abs(truth).max() or 1.0
        error, usual = (np.abs(run.curve(metric) - truth).max() / scale for run in (ours, reference))
        assert error <= 5 * usual + 1e-5, metric
    assert ours.ending.status == reference.ending.status == "succeeded"
    assert ours.result.keys() == reference.result.keys()
    assert ours.result["timing"] == "block"


@cases
def test_a_cell_resumed_after_any_update_ends_with_the_same_bits(case: str, cells: Cells, train: Train) -> None:
    (cell,) = cells(**CASES[case])
    whole, stepwise = train(cell, engine="compiled"), train(cell, engine="compiled", block_steps=1)
    assert stepwise.bits() == whole.bits()
    assert facts(stepwise.result) == facts(whole.result)
    for done, kept in enumerate(stepwise.states[:-1], start=1):
        rest = train(cell, engine="compiled", state=state.from_bytes(state.to_bytes(kept)))
        assert rest.blocks[0].first == done + 1
        assert facts(rest.result) == facts(whole.result)
        assert all(whole.bits()[metric].endswith(bits) for metric, bits in rest.bits().items())


@pytest.mark.parametrize("batch", [5, 33, 40, 41])
def test_products_in_pieces_are_the_products(
    batch: int, cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces of 6 rows for the first layer and of some outputs for the gradients; up to 40 rows."""
    (cell,) = cells(**NETWORK, batch_sizes=[batch], lr={"rule": "fixed", "base": 0.1})
    runs = []
    for small in (0, 5000):
        monkeypatch.setattr(problem, "unpacked", lambda small=small: small)
        runs.append(train(cell, engine="compiled"))
    for metric in set(runs[0].metrics()) - {"step_seconds"}:
        whole, pieces = (run.curve(metric) for run in runs)
        np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-6, err_msg=metric)


def test_cells_that_begin_alike_are_evaluated_once_at_the_start(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = Run._evaluate
    monkeypatch.setattr(Run, "_evaluate", lambda run, table: made.append(1) or real(run, table))
    cohort = cells(**NETWORK, batch_sizes=[50, 100], lr={"rule": "list", "values": [0.1, 0.2]}, seeds=2)
    data = cohort[0].dataset.load(Path())
    together = [block for block, _ in by_name("compiled").train(cohort, data)]
    starts = {place: own.evaluations for block in together for place, own in block.cells.items() if own.first == 1}
    assert len(made) == 2 * 2  # two seeds, two parts
    for place, cell in enumerate(cohort):
        alone = next(iter(by_name("compiled").train([cell], data)))[0].cells[0]
        assert {n: v[0] for n, v in starts[place].items()} == {n: v[0] for n, v in alone.evaluations.items()}


def test_divergence_is_found_at_the_references_step(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "fixed", "base": 2.0}, budget={"steps": 400}
    )
    ours, reference = train(cell, engine="compiled"), train(cell)
    assert ours.ending.status == reference.ending.status == "diverged"
    assert ours.result["diverged_at"] == reference.result["diverged_at"] > 1
    assert ours.evaluated_at == reference.evaluated_at
    assert len(ours.curve("loss")) == len(reference.curve("loss"))
    assert train(cell, engine="compiled", block_steps=3).bits() == ours.bits()


def test_a_target_stops_at_the_references_step(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        batch_sizes=[4], evaluate={"every_steps": 3}, target={"metric": "val_accuracy", "at_least": 0.7, "stop": True}
    )
    ours, reference = train(cell, engine="compiled"), train(cell)
    assert ours.result["target_step"] == reference.result["target_step"] == ours.result["updates"] < cell.steps


def test_a_cohort_trains_each_cell_as_if_it_were_alone(cells: Cells, train: Train, tmp_path: Path) -> None:
    cohort = cells(
        dataset={"kind": "diabetes"}, model={"kind": "linear"}, batch_sizes=[30, 100], seeds=2,
        lr={"rule": "list", "values": [0.01, 5.0]}, momentum=[0.0, 0.9], budget={"steps": 150},
    )  # fmt: skip
    data = cohort[0].dataset.load(tmp_path)
    engine = by_name("compiled")
    for options in ({}, {"block_steps": 40}):
        found: dict[int, list[Any]] = {}
        for block, _ in engine.train(cohort, data, **options):
            for position, own in block.cells.items():
                found.setdefault(position, []).append(own)
        assert {position: blocks[-1].ending.status for position, blocks in found.items()} == {
            position: "diverged" if cell.lr > 1 else "succeeded" for position, cell in enumerate(cohort)
        }
        for position, blocks in found.items():
            alone = train(cohort[position], data, engine="compiled")
            losses = np.concatenate([block.updates["loss"] for block in blocks])
            assert losses.tobytes() == alone.curve("loss").tobytes()
            assert facts(dict(blocks[-1].ending.result)) == facts(alone.result)


def test_a_cohort_is_resumed_between_and_within_its_cells(cells: Cells, tmp_path: Path) -> None:
    cohort = cells(batch_sizes=[50, 100, 200], budget={"steps": 30})
    data, engine = cohort[0].dataset.load(tmp_path), by_name("compiled")
    whole = [(block, snapshot()) for block, snapshot in engine.train(cohort, data, block_steps=7)]
    endings = {p: own.ending for block, _ in whole for p, own in block.cells.items() if own.ending}
    assert len(endings) == 3
    for taken, (_, kept) in enumerate(whole[:-1], start=1):
        rest = [block for block, _ in engine.train(cohort, data, state.from_bytes(state.to_bytes(kept)))]
        before = [block for block, _ in whole[:taken]]
        for position in range(3):
            parts = [b.cells[position] for b in (*before, *rest) if position in b.cells]
            assert [part.first for part in parts] == np.cumsum(
                [1, *(len(part.updates["loss"]) for part in parts[:-1])]
            ).tolist()
            assert facts(dict(parts[-1].ending.result)) == facts(dict(endings[position].result))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": {"kind": "digits"}, "model": {"kind": "cnn"}}, "the model cnn"),
        ({"optimizer": {"kind": "adam"}}, "the optimizer adam"),
        ({"precision": "float64"}, "the precision float64"),
        ({**NETWORK, "model": {"kind": "mlp", "activation": "gelu"}}, "its activation"),
        ({**NETWORK, "model": {"kind": "mlp", "dropout": 0.5}}, "dropout"),
        ({"checkpoints": [{"kind": "last"}, {"kind": "best"}]}, "weights kept before the end"),
        ({**NETWORK, "model": {"kind": "mlp", "widths": [65536, 1, 65536]}, "batch_sizes": [1400]}, "so large a batch"),
    ],
)  # fmt: skip
def test_what_it_cannot_train_goes_to_the_reference(changes: dict[str, Any], reason: str, cells: Cells) -> None:
    (cell,) = cells(**changes)
    assert support.obstacle(cell) == reason
    assert choose(cell, "cpu").name == "reference"
    assert not cell.stack_key.startswith("compiled")


def test_a_spec_that_asks_it_for_what_it_cannot_do_is_refused(document: Any) -> None:
    for changes in ({"label_smoothing": 0.1}, {"device": "cuda"}, {"optimizer": {"kind": "adam"}}):
        with pytest.raises(SpecError, match=r"engine: compiled does not train .*: use auto or reference"):
            expand(parse_spec(document(engine="compiled", **changes)))
    with pytest.raises(ValueError, match="does not train this cell on cuda:0"):
        choose(expand(parse_spec(document(engine="compiled")))[0], "cuda:0")


def test_a_cell_that_asks_for_it_by_name_goes_to_workers_with_a_cpu(cells: Cells) -> None:
    (cell,) = cells(engine="compiled")
    assert cell.queue == "cpu"


def test_cells_of_a_cohort_that_shuffle_differently_see_their_own_orders(cells: Cells, train: Train) -> None:
    cohort = cells(variants=[{"name": how, "shuffle": how} for how in ("epoch", "never", "once")])
    data = cohort[0].dataset.load(Path())
    ((block, _),) = by_name("compiled").train(cohort, data, block_seconds=60)
    for position, cell in enumerate(cohort):
        assert block.cells[position].updates["loss"].tobytes() == train(cell, engine="compiled").curve("loss").tobytes()


def test_the_last_weights_are_kept_as_the_reference_keeps_them(cells: Cells, train: Train) -> None:
    for changes in (NETWORK, {"dataset": {"kind": "diabetes"}, "model": {"kind": "linear", "bias": False}}):
        (cell,) = cells(checkpoints=[{"kind": "last"}], lr={"rule": "fixed", "base": 0.01}, **changes)
        ours, theirs = (train(cell, engine=name).blocks[-1].kept[cell.steps] for name in ("compiled", "reference"))
        assert ours.labels == theirs.labels == ("last",)
        assert ours.weights.keys() == theirs.weights.keys()
        for name, weights in theirs.weights.items():
            np.testing.assert_allclose(ours.weights[name], weights, rtol=1e-3, atol=1e-5)


def test_on_a_gpu_it_is_not_chosen(cells: Cells) -> None:
    (cell,) = cells()
    assert choose(cell, "cuda:0").name == "reference"
    assert plan([cell, cell], "cuda:0") == ("reference", 1)
    (named,) = cells(engine="stacked")
    assert plan([named, named], "cuda:0") == ("stacked", 2)


def test_a_parameter_that_it_does_not_know_is_an_obstacle_unless_it_is_at_its_default(cells: Cells) -> None:
    (cell,) = cells()
    fields = {name: getattr(cell, name) for name in Cell.model_fields}

    class Later(Cell):
        twist: float = 0.0

    assert support.obstacle(Later.model_construct(**fields, twist=0.0)) is None
    assert support.obstacle(Later.model_construct(**fields, twist=0.5)) == "twist"


def test_cells_of_one_data_set_and_model_share_cohorts_of_about_a_second(cells: Cells) -> None:
    short = cells(batch_sizes=[1, 10, 100], seeds=3)
    assert len({cell.stack_key for cell in short}) == 1
    assert plan(short, "cpu") == ("compiled", len(short))
    long = cells(batch_sizes=[1, 2, 4], seeds=3, budget={"epochs": 5000}, evaluate={"every_steps": 80})
    assert 1 <= plan(long, "cpu")[1] < len(long)
    timed, _ = cells(seeds=2, limits={"seconds_per_cell": 5})
    assert timed.stack_key == "cell-0"


def test_its_fingerprint_names_its_compiler() -> None:
    assert "numba" in fingerprint("compiled", "cpu")
    assert "numba" not in fingerprint("reference", "cpu")


def test_the_exponential_is_right_to_the_last_places_and_shows_what_is_not_a_number() -> None:
    @compiled
    def every(x: Any, y: Any) -> None:
        for i in range(x.size):
            y[i] = exponential(x[i])

    x = -np.concatenate([np.linspace(0, 87, 20001), np.logspace(-30, 0, 1000)]).astype(np.float32)
    y = np.empty_like(x)
    every(x, y)
    np.testing.assert_allclose(y, np.exp(x.astype(np.float64)), rtol=2.5e-7)
    odd = np.array([np.nan, -np.inf, -1e30, 0.0], np.float32)
    every(odd, odd)
    np.testing.assert_array_equal(odd, np.array([np.nan, 0, 0, 1], np.float32))
