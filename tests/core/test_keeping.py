"""Which weights are kept: the policies, what they cost, and that training gives them as they were."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab import state
from batchlab.cell import Cell
from batchlab.errors import DataError, SpecError
from batchlab.keeping import At, Best, Every, Last, Trajectory, kept_count, planned
from batchlab.plan import WorkLimits, plan
from batchlab.schedules import Clock
from batchlab.spec import parse_spec

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]
CLOCK = Clock(steps=100, steps_per_epoch=8)


@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        (At(updates=(0, 7, 100)), [0, 7, 100]),
        (Every(length=5.0), [40, 80]),
        (Every(length=0.25, unit="fraction"), [25, 50, 75, 100]),
        (Every(length=33.4, unit="steps"), [33, 67]),
        (Trajectory(points=5), [0, 25, 50, 75, 100]),
        (Last(), []),
        (Best(), []),
    ],
)
def test_a_policy_names_its_updates(policy: Any, steps: list[int]) -> None:
    assert policy.steps(CLOCK).tolist() == steps


def test_a_short_run_has_no_more_points_than_updates() -> None:
    assert Trajectory(points=50).steps(Clock(3, 1)).tolist() == [0, 1, 2, 3]
    assert Every(length=0.1, unit="steps").steps(Clock(3, 1)).tolist() == [1, 2, 3]


def test_weights_that_several_policies_ask_for_are_kept_once() -> None:
    policies = [Trajectory(points=3), At(updates=(50,)), Last()]
    assert planned(policies, CLOCK) == {0: ("trajectory",), 50: ("trajectory", "at"), 100: ("trajectory",)}
    assert kept_count(policies, CLOCK) == 4  # the last is one of them only where no target ends the cell before


@pytest.mark.parametrize(
    ("checkpoints", "path", "words"),
    [
        ([{"kind": "at", "updates": [31]}], "checkpoints.0", "no update 31 in a run of 30"),
        ([{"kind": "at", "updates": [3, 3]}], "checkpoints.0", "ascending"),
        ([{"kind": "every", "length": 31, "unit": "steps"}], "checkpoints.0", "keep nothing"),
        ([{"kind": "last"}, {"kind": "last"}], "checkpoints", "each policy once"),
        ([{"kind": "first"}], "checkpoints.0.kind", "no such kind"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    document: Callable[..., Any], checkpoints: Any, path: str, words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(document(checkpoints=checkpoints))
    [fault] = caught.value.faults
    assert ".".join(map(str, fault.loc)) == path
    assert words in fault.msg


def test_too_many_checkpoints_are_refused(document: Callable[..., Any]) -> None:
    with pytest.raises(SpecError, match="5000 checkpoints of a cell, over the limit of 1000"):
        parse_spec(document(budget={"steps": 5000}, checkpoints=[{"kind": "every", "length": 1, "unit": "steps"}]))


def test_regression_has_no_best_accuracy(document: Callable[..., Any]) -> None:
    with pytest.raises(SpecError, match="no accuracy"):
        parse_spec(
            document(
                dataset={"kind": "diabetes"},
                model={"kind": "linear"},
                checkpoints=[{"kind": "best", "metric": "val_accuracy"}],
            )
        )


def test_the_plan_counts_the_bytes_of_kept_weights(document: Callable[..., Any]) -> None:
    roomy = WorkLimits(max_cells=100, max_updates=10**6)
    sizes = [
        plan(parse_spec(document(seeds=2, precision=precision, checkpoints=kept)), roomy).storage_bytes
        for precision, kept in (("float32", []), ("float32", [{"kind": "trajectory", "points": 4}, {"kind": "last"}]))
    ]
    (cell, _) = plan(parse_spec(document(seeds=2)), roomy).cells
    parameters = sum(int(np.prod(s)) for s in cell.model.parameters(cell.info.shape, cell.info.outputs).values())
    assert sizes[1] - sizes[0] == 2 * 5 * parameters * 4


GROWING = {"kind": "steps", "milestones": [0.25, 0.5], "sizes": [30, 80]}
ADAPTIVE = {"kind": "norm_test", "theta": 0.7, "every": 5, "sample": 10}
EPOCHS = {"engine": "reference", "batch_sizes": [10], "budget": {"epochs": 6}, "evaluate": {"every_epochs": 1}}


@pytest.mark.parametrize("budget", [{"epochs": 6}, {"steps": 300}])
def test_where_the_batch_changes_a_length_in_epochs_is_one_in_rows(cells: Cells, budget: Any) -> None:
    (cell,) = cells(**EPOCHS | {"budget": budget, "batch_schedule": GROWING, "checkpoints": [{"kind": "every"}]})
    steps = sorted(planned(cell.checkpoints, cell.clock))
    assert [cell.examples(step) // cell.rows for step in steps] == list(range(1, cell.examples(cell.steps) // 800 + 1))
    assert all(cell.examples(step - 1) % 800 > cell.examples(step) % 800 for step in steps)  # none a batch too late


def test_where_the_batch_changes_fractions_are_of_the_rows_and_points_of_the_updates(cells: Cells) -> None:
    every = {"kind": "every", "length": 0.5, "unit": "fraction"}
    (cell,) = cells(**EPOCHS, batch_schedule=GROWING, checkpoints=[every, {"kind": "trajectory", "points": 3}])
    halves, points = (policy.steps(cell.clock).tolist() for policy in cell.checkpoints)
    assert [cell.examples(step) for step in halves] == [2400, 4800]
    assert points == [0, round(cell.steps / 2), cell.steps]
    assert cell.steps < cell.clock.steps


def test_the_plan_of_growing_batches_counts_what_is_kept_in_rows(document: Callable[..., Any]) -> None:
    """Three epochs of the first size are more updates than the run has; of rows there are twice as many."""
    roomy, growing = WorkLimits(max_cells=100, max_updates=10**6), document(**EPOCHS, batch_schedule=GROWING)
    every = {"kind": "every", "length": 3}
    none, kept = (plan(parse_spec(growing | {"checkpoints": asked}), roomy) for asked in ([], [every]))
    (cell,) = kept.cells
    parameters = sum(int(np.prod(s)) for s in cell.model.parameters(cell.info.shape, cell.info.outputs).values())
    assert kept.storage_bytes - none.storage_bytes == 2 * parameters * 4


def collect(trained: Any) -> dict[int, Any]:
    return {step: kept for block in trained.blocks for step, kept in block.kept.items()}


ALL = [
    {"kind": "last"},
    {"kind": "best"},
    {"kind": "at", "updates": [0, 3]},
    {"kind": "every", "length": 0.5, "unit": "fraction"},
]


def test_kept_weights_are_those_after_the_update(cells: Cells, train: Train) -> None:
    (cell,) = cells(checkpoints=ALL)
    stepwise = train(cell, block_steps=1)
    after = {block.steps_done: state.weights_of(s) for block, s in zip(stepwise.blocks, stepwise.states, strict=True)}
    for found in (collect(train(cell)), collect(stepwise)):
        assert {step: kept.labels for step, kept in found.items() if "best" not in kept.labels[0]}.keys() >= {
            0,
            3,
            15,
            30,
        }
        assert set(found[30].labels) >= {"every", "last"}
        for step in (3, 15, 30):
            for name, array in found[step].weights.items():
                np.testing.assert_array_equal(array, after[step][name])


def test_the_best_weights_are_those_of_the_best_evaluation(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        checkpoints=[{"kind": "best"}, {"kind": "best", "metric": "val_accuracy"}], evaluate={"every_steps": 1}
    )
    trained = train(cell)
    best = {label: step for step, kept in collect(trained).items() for label in kept.labels}
    assert best == {f"best_{m}": trained.result[f"best_{m}_step"] for m in ("val_loss", "val_accuracy")}


def test_keeping_changes_no_bit_of_what_is_measured(cells: Cells, train: Train) -> None:
    (plain,), (keeping,) = cells(evaluate={"every_steps": 5}), cells(evaluate={"every_steps": 5}, checkpoints=ALL)
    assert train(plain).bits() == train(keeping).bits()
    assert collect(train(plain)) == {}


def test_a_resumed_cell_keeps_the_same_bytes(cells: Cells, train: Train) -> None:
    (cell,) = cells(checkpoints=ALL, evaluate={"every_steps": 1})
    stepwise = train(cell, block_steps=1)
    whole = {step: state.weights_to_bytes(kept.weights) for step, kept in collect(stepwise).items()}
    for done in (1, 14, 29):
        rest = collect(train(cell, state=stepwise.states[done - 1], block_steps=1))
        assert {step: state.weights_to_bytes(kept.weights) for step, kept in rest.items()} == {
            step: data for step, data in whole.items() if step > done
        }


def test_a_diverged_cell_has_no_last_weights(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "diabetes"},
        model={"kind": "linear"},
        lr={"rule": "fixed", "base": 1e6},
        checkpoints=[{"kind": "last"}, {"kind": "trajectory", "points": 31}],
    )
    trained = train(cell)
    assert trained.ending.status == "diverged"
    kept = collect(trained)
    assert all("last" not in one.labels for one in kept.values())
    assert max(kept) < trained.result["diverged_at"]


def test_a_cell_that_reached_its_target_keeps_its_last_weights(cells: Cells, train: Train) -> None:
    target = {"metric": "val_accuracy", "at_least": 0.3, "stop": True}
    (cell,) = cells(target=target, evaluate={"every_steps": 1}, checkpoints=[{"kind": "last"}])
    trained = train(cell)
    assert [(step, kept.labels) for step, kept in collect(trained).items()] == [(trained.result["updates"], ("last",))]


def test_the_way_of_a_cell_whose_batch_grows_has_its_end_and_epochs_their_rows(cells: Cells, train: Train) -> None:
    policies = [{"kind": "trajectory", "points": 5}, {"kind": "every"}]
    (cell,) = cells(**EPOCHS, batch_schedule=ADAPTIVE, checkpoints=policies)
    trained = train(cell, block_steps=7)
    kept, seen = collect(trained), np.concatenate([[0], np.cumsum(trained.curve("batch_size"))])
    assert trained.result["updates"] < cell.steps
    way = [step for step, one in kept.items() if "trajectory" in one.labels]
    assert (min(way), max(way), len(way) <= 5) == (0, trained.result["updates"], True)
    epochs = [seen[step] for step, one in kept.items() if "every" in one.labels]
    assert epochs == [800, 1600, 2400, 3200, 4000, 4800]
    middle = len(trained.blocks) // 2
    rest = collect(train(cell, state=trained.states[middle]))
    assert rest.keys() == {step for step in kept if step > trained.blocks[middle].steps_done}


def test_the_way_of_a_cell_that_reached_its_target_ends_there(cells: Cells, train: Train) -> None:
    target = {"metric": "val_accuracy", "at_least": 0.3, "stop": True}
    policies = [{"kind": "trajectory", "points": 3}]
    (cell,) = cells(target=target, evaluate={"every_steps": 1}, checkpoints=policies)
    trained = train(cell)
    assert trained.result["updates"] < cell.steps
    assert collect(trained)[trained.result["updates"]].labels == ("trajectory",)


def test_kept_weights_that_fill_the_memory_end_the_block(
    cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchlab.engines.keeper.BLOCK_BYTES", 1)
    (cell,) = cells(checkpoints=[{"kind": "at", "updates": [4, 9]}])
    assert [block.steps_done for block in train(cell).blocks] == [4, 9, 30]


def test_weights_survive_their_bytes_and_equal_weights_have_equal_bytes() -> None:
    weights = {"b": np.arange(3.0), "a": np.float32([[1, 2]]), "count": np.array(3)}
    data = state.weights_to_bytes(weights)
    assert state.weights_to_bytes(dict(reversed(weights.items()))) == data
    found = state.weights_from_bytes(data)
    assert (
        json.dumps({k: v.tolist() for k, v in sorted(found.items())})
        == '{"a": [[1.0, 2.0]], "b": [0.0, 1.0, 2.0], "count": 3}'
    )


def test_damaged_weights_are_refused() -> None:
    with pytest.raises(DataError, match="damaged"):
        state.weights_from_bytes(b"nothing")
