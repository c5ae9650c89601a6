"""Averages of weights, against torch's and against members that are trained by hand."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines.batches import batches
from batchlab.engines.task import Task
from batchlab.errors import SpecError
from torch.optim.swa_utils import AveragedModel

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]
NETWORK = {
    "dataset": {"kind": "iris"},
    "model": {"kind": "mlp", "widths": [6]},
    "batch_sizes": [50],
    "lr": {"rule": "fixed", "base": 0.1},
    "momentum": 0.9,
    "precision": "float64",
    "budget": {"steps": 20},
}


def task_of(cell: Cell) -> Task:
    return Task(cell, cell.dataset.load(Path()), torch.device("cpu"))


def weights(state: Any) -> dict[str, Any]:
    return {name: torch.from_numpy(value) for name, value in state.arrays.items() if name.startswith("net/")}


def averaged(states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of networks' weights, as torch takes it."""
    net = torch.nn.ParameterDict({name.replace(".", "_"): value.clone() for name, value in states[0].items()})
    mean = AveragedModel(net)
    for state in states:
        for name, value in state.items():
            net[name.replace(".", "_")].data.copy_(value)
        mean.update_parameters(net)  # type: ignore[no-untyped-call]
    return {name: mean.module[name.replace(".", "_")].detach() for name in states[0]}


@pytest.mark.parametrize(("average", "taken"), [({"start": 0.5, "every": 3}, [10, 13, 16, 19]),
                                                ({"start": 2, "unit": "epochs"}, [6, 9, 12, 15, 18]),
                                                ({"start": 1.0}, [20]),
                                                ({"start": 0.0, "every": 7}, [1, 8, 15])])  # fmt: skip
def test_a_run_ends_with_the_mean_of_its_weights(average: Any, taken: list[int], cells: Cells, train: Train) -> None:
    (cell,), (plain,) = cells(**NETWORK, average={"kind": "swa", **average}), cells(**NETWORK)
    path = [weights(state) for state in train(plain, block_steps=1).states]
    torch.testing.assert_close(weights(train(cell).states[-1]), averaged([path[k - 1] for k in taken]))


def test_the_last_evaluation_is_that_of_the_mean_and_the_last_weights_are_told_apart(
    cells: Cells, train: Train
) -> None:
    (cell,), (plain,) = cells(**NETWORK, average={"kind": "swa", "start": 0.2}), cells(**NETWORK)
    ours, theirs = train(cell), train(plain)
    task = task_of(cell)
    task.restore(ours.states[-1].arrays)
    for name, value in task.evaluate().items():
        assert ours.result[name] == pytest.approx(float(value))
        assert ours.result[f"unaveraged_{name}"] == theirs.result[name] != ours.result[name]
    assert ours.curve("loss").tobytes() == theirs.curve("loss").tobytes()


def test_batch_norms_statistics_are_taken_anew_over_the_training_rows(cells: Cells, train: Train) -> None:
    model = {"kind": "mlp", "widths": [6], "norm": {"kind": "batch"}}
    (cell,) = cells(**NETWORK | {"model": model}, average={"kind": "swa"})
    task = task_of(cell)
    task.restore(train(cell).states[-1].arrays)
    linear, norm = first_two(task)
    seen = linear(task.train.x)
    torch.testing.assert_close(norm.running_mean, seen.mean(0).detach())
    torch.testing.assert_close(norm.running_var, seen.var(0).detach())


def test_a_short_last_part_of_the_rows_counts_by_its_rows_in_batch_norms_statistics(
    cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchlab.engines.task.EVALUATED_ROWS", 100)
    model = {"kind": "mlp", "widths": [6], "norm": {"kind": "batch"}}
    (cell,) = cells(**NETWORK | {"model": model}, average={"kind": "swa"})
    task = task_of(cell)
    assert [len(part) for part in task.stretches()] == [100, 20]
    task.restore(train(cell).states[-1].arrays)
    linear, norm = first_two(task)
    seen = linear(task.train.x).detach()
    torch.testing.assert_close(norm.running_mean, seen.mean(0))
    torch.testing.assert_close(norm.running_var, (100 * seen[:100].var(0) + 20 * seen[100:].var(0)) / 120)


def first_two(task: Task) -> Any:
    """The first two layers with parameters: the hidden layer and its norm."""
    return [module for module in task.net.modules() if list(module.parameters(recurse=False))][:2]


SWAP = {"kind": "swap", "start": 6, "unit": "steps", "members": 3}


def members_by_hand(cell: Cell) -> list[dict[str, Any]]:
    """Phase 1, then from its weights each member with a new optimizer on the updates that are its own."""
    shared = task_of(cell)
    updates = list(batches(cell, 0, shared.device))
    advance(shared, updates[:6])
    ends = []
    for first, last in ((6, 10), (10, 15), (15, 20)):
        member = task_of(cell)
        member.net.load_state_dict(shared.net.state_dict())
        advance(member, updates[first:last])
        ends.append({f"net/{name}": value.clone() for name, value in member.net.state_dict().items()})
    return ends


def advance(task: Task, updates: Sequence[Any]) -> None:
    for _, rate, momentum, rows in updates:
        task.set_rate(rate, momentum)
        task.backward(rows)
        task.step()


@pytest.mark.parametrize(
    "optimizer", [{"kind": "sgd"}, {"kind": "adam"}, {"kind": "adagrad"}, {"kind": "lars"}, {"kind": "rmsprop"}]
)
def test_members_share_a_start_and_nothing_else(optimizer: dict[str, Any], cells: Cells, train: Train) -> None:
    still = {"momentum": 0.0} if optimizer["kind"] in ("adam", "adagrad") else {}
    changes = NETWORK | {"optimizer": optimizer, "lr": {"rule": "fixed", "base": 0.02}} | still
    (cell,), (plain,) = cells(**changes, average=SWAP), cells(**changes)
    ends, done = members_by_hand(plain), train(cell)
    torch.testing.assert_close(weights(done.states[-1]), averaged(ends))
    task = task_of(plain)
    for i, end in enumerate(ends, start=1):
        task.net.load_state_dict({name.removeprefix("net/"): value for name, value in end.items()})
        for name, value in task.evaluate().items():
            assert done.result[f"member_{i}_{name}"] == pytest.approx(float(value), rel=1e-9)


def test_the_result_has_the_members_on_average_beside_their_average(cells: Cells, train: Train) -> None:
    (cell,) = cells(**NETWORK, average=SWAP)
    result = train(cell).result
    for name in ("train_loss", "val_accuracy"):
        assert result[f"members_{name}"] == pytest.approx(sum(result[f"member_{i}_{name}"] for i in (1, 2, 3)) / 3)
    assert result["train_loss"] != result["members_train_loss"]


def test_phase_2_may_have_smaller_batches_and_a_lower_rate(cells: Cells, train: Train) -> None:
    phases = {"milestones": [6], "unit": "steps"}
    (cell,) = cells(
        **NETWORK | {"batch_sizes": [100]}, average=SWAP, batch_schedule={"kind": "steps", "sizes": [20], **phases},
        schedule={"kind": "piecewise", "values": [1.0, 0.1], **phases},
    )  # fmt: skip
    done = train(cell)
    assert done.curve("batch_size")[:6].tolist() == [100.0, 20.0] * 3
    assert set(done.curve("batch_size")[6:]) <= {20.0}
    assert done.curve("lr")[[5, 6]] == pytest.approx([0.1, 0.01])
    assert done.result["member_3_val_loss"] > 0


def test_the_result_says_where_phase_1_ended(cells: Cells, train: Train) -> None:
    (cell,) = cells(**NETWORK, average=SWAP)
    (short,) = cells(**NETWORK | {"budget": {"steps": 6}})
    done, phase = train(cell), train(short)
    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        assert done.result[f"phase_1_{name}"] == phase.result[name]


def test_a_diverged_run_says_nothing_of_averages(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "fixed", "base": 2.0},
        average={"kind": "swa", "start": 0.0}, budget={"steps": 3000},
    )  # fmt: skip
    done = train(cell)
    assert done.ending.status == "diverged"
    assert not [name for name in done.result if name.startswith("unaveraged")]


@pytest.mark.parametrize(
    ("changes", "loc", "words"),
    [
        ({"average": {"kind": "swa", "start": 1.5}}, ("average", "start"), "after the end of the run"),
        ({"average": {"kind": "swap", "start": 0.0}}, ("average", "start"), "leaves phase 1 no update"),
        ({"average": {"kind": "swap", "start": 28, "unit": "steps"}}, ("average", "start"), "2 updates for 4 members"),
        ({"average": {"kind": "swa"}, "target": {"metric": "val_loss", "at_most": 0.1, "stop": True}},
         ("target", "stop"), "before its weights are averaged"),
        ({"average": {"kind": "swa"}, "batch_schedule": {"kind": "norm_test"}}, ("average",), "whose end is known"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_path(
    changes: dict[str, Any], loc: tuple[Any, ...], words: str, cells: Cells
) -> None:
    with pytest.raises(SpecError) as refused:
        cells(**changes)
    assert refused.value.faults[0].loc == loc
    assert words in refused.value.faults[0].msg
