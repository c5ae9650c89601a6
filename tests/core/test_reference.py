"""The reference engine against closed forms and brute force."""

import dataclasses
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from batchlab import datasets
from batchlab.cell import Cell
from batchlab.datasets import Arrays, Info, split
from batchlab.engines import task as tasks
from batchlab.engines.batches import order
from batchlab.engines.task import Task

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]


class Points(datasets.Sectors):
    """The rows x of a regression y = 0, which also validate."""

    kind: Literal["points"] = "points"  # type: ignore[assignment]
    facts: ClassVar[Info] = Info(6, 6, (1,), None)


def points(x: list[float]) -> Arrays:
    rows, zeros = np.array(x, np.float32)[:, None], np.zeros(len(x), np.float32)
    return Arrays(rows, zeros, rows, zeros)


@pytest.fixture
def example(cells: Cells) -> Callable[..., Cell]:
    """The worked example: one weight that starts at 1, no bias, rows in order, the rate 0.1."""
    (base,) = cells(dataset={"kind": "diabetes"}, model={"kind": "linear", "bias": False}, shuffle="never", init="ones")
    fields = {name: getattr(base, name) for name in Cell.model_fields}
    return lambda **changes: Cell.model_construct(**{**fields, "dataset": Points(), "lr": 0.1, **changes})


ROWS = [-2.0, 0.0, 2.0, -1.0, 1.0, 1.5]


def test_two_batches_of_three_take_the_worked_examples_steps(example: Any, train: Train) -> None:
    done = train(example(batch_size=3, steps=2, evaluate_every=1), points(ROWS))
    assert done.curve("grad_norm/linear.weight") == pytest.approx([8 / 3, 1.0388889], rel=1e-6)
    assert done.states[-1].arrays["net/linear.weight"].item() == pytest.approx(0.6294444, rel=1e-6)
    assert done.curve("update_norm") == pytest.approx([0.2666667, 0.1038889], rel=1e-5)
    assert done.curve("param_norm") == pytest.approx([1.0, 0.7333333], rel=1e-6)
    assert done.curve("loss") == pytest.approx([4 / 3, 0.7333333**2 * 4.25 / 6], rel=1e-6)


@pytest.mark.parametrize(("lr", "weight"), [(0.1, 0.796), (0.185, 0.622)])
def test_one_batch_of_six_takes_the_worked_examples_step(lr: float, weight: float, example: Any, train: Train) -> None:
    done = train(example(batch_size=6, steps=1, lr=lr), points(ROWS))
    assert done.curve("grad_norm") == pytest.approx([12.25 / 6], rel=1e-6)
    assert round(done.states[-1].arrays["net/linear.weight"].item(), 3) == weight


def test_the_sum_of_losses_gives_the_sum_of_gradients(example: Any, train: Train) -> None:
    done = train(example(batch_size=6, steps=1, reduction="sum"), points(ROWS))
    assert done.curve("grad_norm") == pytest.approx([12.25])
    assert done.curve("loss") == pytest.approx([12.25 / 2])
    assert done.curve("train_loss")[0] == pytest.approx(12.25 / 12)


def closed_form(cell: Cell, data: Arrays) -> dict[str, list[float]]:
    """Softmax regression in float64: gradient of W = (p - y) x / B, of b = (p - y) / B, by numpy alone."""
    (x, y), _ = (part for part in dataclasses.astuple(split(cell.dataset, data, cell.seed))[:2])
    w, b, seen = np.zeros((2, 3)), np.zeros(3), {"loss": [], "w": [], "b": []}  # type: ignore[var-annotated]
    for k in range(cell.steps):
        epoch, place = divmod(k, cell.steps_per_epoch)
        rows = order(cell, epoch)[place * cell.batch_size : (place + 1) * cell.batch_size]
        p = np.exp(x[rows] @ w + b)
        p /= p.sum(1, keepdims=True)
        error = p - np.eye(3)[y[rows]]
        dw, db = x[rows].T.astype(np.float64) @ error / len(rows), error.mean(0)
        seen["loss"].append(float(-np.log(p[np.arange(len(rows)), y[rows]]).mean()))
        seen["w"].append(float(np.linalg.norm(dw)))
        seen["b"].append(float(np.linalg.norm(db)))
        w, b = w - cell.lr * dw, b - cell.lr * db
    return seen


@pytest.mark.parametrize("batch", [1, 36, 128, "full"])
def test_softmax_gradients_equal_the_closed_form(batch: Any, cells: Cells, train: Train, tmp_path: Path) -> None:
    (cell,) = cells(batch_sizes=[batch], budget={"steps": 50}, seeds=[2])
    done, expected = train(cell), closed_form(cell, cell.dataset.load(tmp_path))
    np.testing.assert_allclose(done.curve("loss"), expected["loss"], rtol=2e-5)
    np.testing.assert_allclose(done.curve("grad_norm_weights"), expected["w"], rtol=1e-4)
    np.testing.assert_allclose(done.curve("grad_norm_biases"), expected["b"], rtol=1e-4, atol=1e-7)
    together = np.hypot(expected["w"], expected["b"])
    np.testing.assert_allclose(done.curve("grad_norm"), together, rtol=1e-4)
    assert done.result["mean_grad_norm"] == pytest.approx(together.mean(), rel=1e-5)


def test_the_textbooks_start_has_the_loss_ln_3(cells: Cells, train: Train) -> None:
    (cell,) = cells()
    done = train(cell)
    assert done.curve("loss")[0] == pytest.approx(math.log(3))
    assert done.curve("val_loss")[0] == pytest.approx(math.log(3))


@pytest.mark.parametrize(
    "optimizer",
    [{"kind": "sgd"}, {"kind": "sgd", "nesterov": True, "weight_decay": 0.01}],
    ids=["heavy ball", "nesterov"],
)
def test_norms_equal_brute_force(optimizer: dict[str, Any], cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "iris"}, model={"kind": "mlp", "widths": [7, 5]}, batch_sizes=[50], optimizer=optimizer,
        momentum=0.9, lr={"rule": "fixed", "base": 0.1},
    )  # fmt: skip
    done = train(cell, block_steps=1)
    weights = [done_state(state) for state in done.states]
    velocity = [(a - b) / cell.lr for a, b in pairwise(weights)]
    np.testing.assert_allclose(
        done.curve("update_norm")[1:], [np.linalg.norm(v) * cell.lr for v in velocity], rtol=1e-4
    )
    np.testing.assert_allclose(done.curve("param_norm")[1:], [np.linalg.norm(w) for w in weights[:-1]], rtol=1e-5)
    per_parameter = [done.curve(f"grad_norm/{name}") for name in Task(cell, *cpu(cell)).names]
    np.testing.assert_allclose(done.curve("grad_norm"), np.linalg.norm(per_parameter, axis=0), rtol=1e-6)
    if not cell.optimizer.nesterov:  # v' = m v + g, hence g = v' - m v
        gradients = [after - 0.9 * before for before, after in pairwise(velocity)]
        np.testing.assert_allclose(done.curve("grad_norm")[2:], [np.linalg.norm(g) for g in gradients], rtol=2e-3)


def done_state(state: Any) -> Any:
    return np.concatenate([v.ravel() for k, v in state.arrays.items() if k.startswith("net/")]).astype(np.float64)


def cpu(cell: Cell) -> tuple[Arrays, torch.device]:
    return cell.dataset.load(Path()), torch.device("cpu")


def test_the_last_batch_of_an_epoch_is_short_and_divided_by_its_own_size(cells: Cells, train: Train) -> None:
    (cell,) = cells(batch_sizes=[96], budget={"epochs": 2})
    assert train(cell).curve("batch_size").tolist() == ([96.0] * 8 + [32.0]) * 2


def test_every_epoch_sees_every_row_in_a_new_order(cells: Cells) -> None:
    (cell,) = cells(batch_sizes=[96])
    first, second = order(cell, 0), order(cell, 1)
    assert sorted(first) == sorted(second) == list(range(800))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(("shuffle", "same"), [("epoch", False), ("once", True), ("never", True)])
def test_rows_are_shuffled_as_often_as_asked(shuffle: str, same: bool, cells: Cells) -> None:
    (cell,) = cells(shuffle=shuffle)
    assert np.array_equal(order(cell, 3), order(cell, 4)) == same
    assert np.array_equal(order(cell, 0), np.arange(800)) == (shuffle == "never")


def test_cells_that_differ_in_batch_size_share_split_start_and_order(cells: Cells) -> None:
    small, large = cells(batch_sizes=[10, 20], dataset={"kind": "iris"}, model={"kind": "mlp"}, seeds=[7])
    a, b = (Task(cell, *cpu(cell)) for cell in (small, large))
    assert torch.equal(a.train.x, b.train.x)
    assert all(torch.equal(p, q) for p, q in zip(a.params, b.params, strict=True))
    assert np.array_equal(order(small, 5), order(large, 5))


def test_evaluations_come_at_the_start_at_each_multiple_and_at_the_end(cells: Cells, train: Train) -> None:
    (cell,) = cells(budget={"steps": 25}, evaluate={"every_steps": 10})
    done = train(cell)
    assert done.evaluated_at == [0, 10, 20, 25]
    assert len(done.curve("val_accuracy")) == 4


def test_evaluation_equals_brute_force(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "digits"}, model={"kind": "cnn", "channels": [4]}, lr={"rule": "fixed", "base": 0.1}
    )
    done, task = train(cell), Task(cell, *cpu(cell))
    task.restore(done.states[-1].arrays)
    with torch.no_grad():
        outputs = task.net(task.validation.x).double()
    loss = torch.nn.functional.cross_entropy(outputs, task.validation.targets)
    right = (outputs.argmax(1) == task.validation.targets).double().mean()
    assert done.result["val_loss"] == pytest.approx(float(loss), rel=1e-5)
    assert done.result["val_accuracy"] == pytest.approx(float(right))


def test_regression_has_no_accuracy(cells: Cells, train: Train) -> None:
    (cell,) = cells(dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "fixed", "base": 0.1})
    done = train(cell)
    assert done.result["val_accuracy"] is done.result["best_val_accuracy"] is None
    assert "val_accuracy" not in done.metrics()
    assert done.result["train_loss"] < done.curve("train_loss")[0] / 4


def test_classes_can_be_learnt_by_squared_error(cells: Cells, train: Train) -> None:
    (cell,) = cells(loss="half_squared_error")
    done = train(cell)
    assert done.curve("train_loss")[0] == pytest.approx(0.5)
    assert done.result["val_accuracy"] > 0.6


def test_momentum_is_recorded_only_where_there_is_one(cells: Cells, train: Train) -> None:
    (with_momentum,) = cells(momentum=0.5)
    (without,) = cells(optimizer={"kind": "adam"}, lr={"rule": "fixed", "base": 0.01})
    assert set(train(with_momentum).curve("momentum")) == {0.5}
    assert "momentum" not in train(without).metrics()


def test_rates_follow_the_schedule_update_by_update(cells: Cells, train: Train) -> None:
    schedule = {"kind": "warmup", "length": 10, "unit": "steps", "start": 0.1}
    (cell,) = cells(schedule=schedule)
    expected = [0.5 * min(1.0, 0.1 + 0.09 * k) for k in range(30)]
    assert train(cell, block_steps=7).curve("lr") == pytest.approx(expected)


def test_only_what_the_probes_ask_for_is_measured(cells: Cells, train: Train) -> None:
    (cell,) = cells(probes=[])
    done = train(cell)
    evaluated = {"train_loss", "train_accuracy", "val_loss", "val_accuracy"}
    assert set(done.metrics()) == {"loss", "lr", "batch_size", "momentum", "step_seconds"} | evaluated
    assert not [name for name in done.result if name.startswith("mean_")]


def test_a_loss_beyond_float32_is_no_divergence_in_float64(example: Any, train: Train) -> None:
    done = train(example(batch_size=6, steps=2, lr=1e-70, precision="float64"), points([1e30] * 6))
    assert (done.ending.status, done.result["diverged_at"], done.result["updates"]) == ("succeeded", None, 2)
    assert done.result["train_loss"] == pytest.approx(5e59, rel=1e-6)
    assert np.isinf(done.curve("loss")).all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("batch", [100, "full"])
def test_a_batch_trained_in_parts_takes_the_same_step(
    batch: Any, reduction: str, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells(
        dataset={"kind": "digits"}, model={"kind": "cnn", "channels": [4]}, batch_sizes=[batch], reduction=reduction,
        precision="float64",
    )  # fmt: skip
    whole = Task(cell, *cpu(cell))
    monkeypatch.setattr(tasks, "CPU_BYTES", 100_000)
    parts = Task(cell, *cpu(cell))
    assert parts.most_rows < 20 < whole.most_rows
    rows = slice(None) if batch == "full" else torch.from_numpy(order(cell, 0)[:100])
    torch.testing.assert_close(parts.backward(rows), whole.backward(rows))
    for p, q in zip(parts.params, whole.params, strict=True):
        torch.testing.assert_close(p.grad, q.grad)
    for name, value in parts.evaluate().items():
        torch.testing.assert_close(value, whole.evaluate()[name])


def test_a_batch_that_does_not_fit_the_device_is_halved_until_it_does(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells(batch_sizes=["full"])
    task, plain = Task(cell, *cpu(cell)), Task(cell, *cpu(cell))
    outputs = task.outputs

    def small_device(x: torch.Tensor) -> torch.Tensor:
        if len(x) > 150:
            raise torch.OutOfMemoryError("no room")
        return outputs(x)

    monkeypatch.setattr(task, "outputs", small_device)
    torch.testing.assert_close(task.backward(slice(None)), plain.backward(slice(None)))
    torch.testing.assert_close(task.params[0].grad, plain.params[0].grad)
    assert task.most_rows == 100


def test_a_single_row_that_does_not_fit_is_an_error(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = cells()
    task = Task(cell, *cpu(cell))

    def no_device(x: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(task, "outputs", no_device)
    with pytest.raises(torch.OutOfMemoryError):
        task.backward(slice(None))


def test_rows_held_out_of_a_set_with_a_test_part_leave_the_test_for_the_end(example: Any, train: Train) -> None:
    done = train(example(dataset=Points(validation=2), batch_size=4, steps=3), points(ROWS))
    weight = done.states[-1].arrays["net/linear.weight"].item()
    assert done.result["test_loss"] == pytest.approx(weight**2 * 12.25 / 12, rel=1e-5)
    assert "test_loss" not in done.metrics()


@pytest.mark.parametrize(("precision", "dtype"), [("float64", np.float64), ("bfloat16", np.float32)])
def test_weights_are_kept_in_the_precision_asked_for(precision: str, dtype: Any, cells: Cells, train: Train) -> None:
    (cell,) = cells(precision=precision)
    (single,) = cells()
    done = train(cell)
    assert {v.dtype for v in done.states[-1].arrays.values()} == {np.dtype(dtype)}
    assert done.bits()["loss"] != train(single).bits()["loss"]
    np.testing.assert_allclose(done.curve("loss"), train(single).curve("loss"), rtol=0.05)
