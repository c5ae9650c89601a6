"""Optimizers against torch, the formulas of their papers written out again, and known answers."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines.task import Task
from batchlab.optimizers import Optimizer
from batchlab.optimizers.warmed import sgd_share
from pydantic import TypeAdapter
from torch import Tensor

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]
GRADIENTS = [[0.6, 0.8], [0.5, -0.1], [-0.3, 0.2], [0.05, 0.4]]


def make(**document: Any) -> Any:
    return TypeAdapter(Optimizer).validate_python(document)


def weights(*values: float) -> torch.nn.Parameter:
    """One row of weights in double precision."""
    return torch.nn.Parameter(torch.tensor([values], dtype=torch.float64))


def walk(optimizer: torch.optim.Optimizer, w: Tensor, rates: list[float] | None = None) -> list[list[float]]:
    """Where the weights are after each of the gradients, at these rates."""
    path = []
    for i, gradient in enumerate(GRADIENTS):
        if rates:
            optimizer.param_groups[0]["lr"] = rates[i]
        w.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step(lambda: None)
        path.append(w.detach().ravel().tolist())
    return path


def first_step(w: Tensor, gradient: list[float], optimizer: torch.optim.Optimizer) -> Any:
    w.grad = torch.tensor([gradient], dtype=torch.float64)
    optimizer.step()
    return w.detach().ravel().numpy()


@pytest.mark.parametrize(
    ("document", "momentum", "theirs"),
    [
        ({"kind": "sgd", "nesterov": True, "weight_decay": 0.1}, 0.9,
         lambda w: torch.optim.SGD([w], 0.1, momentum=0.9, nesterov=True, weight_decay=0.1)),
        ({"kind": "adagrad", "weight_decay": 0.1}, None, lambda w: torch.optim.Adagrad([w], 0.1, weight_decay=0.1)),
        ({"kind": "rmsprop", "centered": True, "alpha": 0.9}, 0.5,
         lambda w: torch.optim.RMSprop([w], 0.1, alpha=0.9, momentum=0.5, centered=True)),
        ({"kind": "adam", "weight_decay": 0.1}, None, lambda w: torch.optim.Adam([w], 0.1, weight_decay=0.1)),
        ({"kind": "adamw"}, None, lambda w: torch.optim.AdamW([w], 0.1, weight_decay=0.01)),
    ],
)  # fmt: skip
def test_what_torch_has_takes_torchs_steps(document: dict[str, Any], momentum: float | None, theirs: Any) -> None:
    ours, other = weights(3.0, -4.0), weights(3.0, -4.0)
    assert walk(make(**document).build([ours], 0.1, momentum), ours) == walk(theirs(other), other)


@pytest.mark.parametrize(("variant", "along", "across"), [("paper", 0.0033333, 0.0033333),
                                                           ("optax", 0.0033333, 0.00447214),
                                                           ("torch", 0.005, 0.005)])  # fmt: skip
def test_the_ratios_of_lars_have_their_known_values(variant: str, along: float, across: float) -> None:
    for gradient, ratio in (([0.6, 0.8], along), ([0.8, -0.6], across)):
        w = weights(3.0, 4.0)
        moved = first_step(w, gradient, make(kind="lars", variant=variant, weight_decay=0.1).build([w], 1.0, 0.9))
        step = np.array(gradient) + 0.1 * np.array([3.0, 4.0])
        np.testing.assert_allclose((np.array([3.0, 4.0]) - moved) / step, ratio, atol=5e-8)


@pytest.mark.parametrize(
    ("variant", "expected"), [("paper", (2.9964816, 3.9964474)), ("torch", (2.9964700, 3.9964589))]
)
def test_the_first_step_of_lamb_has_its_known_value(variant: str, expected: tuple[float, float]) -> None:
    w = weights(3.0, 4.0)
    moved = first_step(w, [0.6, 0.8], make(kind="lamb", variant=variant).build([w], 1e-3, None))
    np.testing.assert_allclose(moved, expected, atol=5e-8)


def test_lamb_counts_large_weights_as_ten_where_torch_does() -> None:
    def step(variant: str, scale: float) -> float:
        w = weights(3.0 * scale, 4.0 * scale)
        lamb = make(kind="lamb", variant=variant, weight_decay=0.0).build([w], 1e-3, None)
        return float(np.linalg.norm(first_step(w, [0.6, 0.8], lamb) - np.array([3.0, 4.0]) * scale))

    assert step("torch", 2.0) == pytest.approx(step("torch", 4.0), rel=1e-6)
    assert 2 * step("paper", 2.0) == pytest.approx(step("paper", 4.0), rel=1e-6)


def lamb_by_hand(rate: float, decay: float) -> list[list[float]]:
    w, m, v, path = np.array([3.0, -4.0]), np.zeros(2), np.zeros(2), []
    for t, g in enumerate(np.array(GRADIENTS), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        u = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + decay * w
        w = w - rate * np.linalg.norm(w) / np.linalg.norm(u) * u
        path.append(w.tolist())
    return path


def test_lamb_follows_its_formula() -> None:
    w = weights(3.0, -4.0)
    ours = walk(make(kind="lamb", weight_decay=0.3).build([w], 0.01, None), w)
    np.testing.assert_allclose(ours, lamb_by_hand(0.01, 0.3), rtol=1e-12)


@pytest.mark.parametrize("kind", ["lars", "lamb"])
def test_biases_keep_the_ratio_one_and_do_not_decay(kind: str) -> None:
    def first(decay: float, scale: float) -> Any:
        bias = torch.nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64) * scale)
        bias.grad = torch.tensor([0.6, 0.8], dtype=torch.float64)
        make(kind=kind, weight_decay=decay).build([bias], 0.1, 0.0 if kind == "lars" else None).step()
        return scale * np.array([3.0, 4.0]) - bias.detach().numpy()

    np.testing.assert_allclose(first(0.5, 1.0), first(0.0, 7.0), atol=1e-14)
    np.testing.assert_allclose(first(0.5, 1.0), [0.06, 0.08] if kind == "lars" else [0.1, 0.1], rtol=1e-5)


@pytest.mark.parametrize("variant", ["paper", "optax", "torch"])
def test_layers_of_zeros_move_by_the_gradient_alone(variant: str) -> None:
    w = weights(0.0, 0.0)
    assert first_step(w, [0.6, 0.8], make(kind="lars", variant=variant).build([w], 0.1, 0.9)) == pytest.approx(
        [-0.06, -0.08]
    )


RATES = [0.1, 0.2, 0.4, 0.1]


def test_the_corrected_velocity_of_lars_is_one_without_the_rate() -> None:
    """Goyal et al. 2017, eq. 9 and 10: `v = m (lr / previous lr) v + lr g` takes the steps of `u = m u + g`."""
    held, free = weights(3.0, -4.0), weights(3.0, -4.0)
    corrected = walk(make(kind="lars", variant="paper").build([held], 0.1, 0.9), held, RATES)
    plain = walk(make(kind="lars", variant="torch").build([free], 0.1, 0.9), free, RATES)
    np.testing.assert_allclose(corrected, plain, rtol=1e-12)  # without decay the two ratios are one


def test_an_uncorrected_velocity_keeps_the_rates_of_the_past() -> None:
    w, by_hand, v = weights(3.0, -4.0), np.array([3.0, -4.0]), np.zeros(2)
    ours = walk(make(kind="lars", variant="optax", momentum_correction=False).build([w], 0.1, 0.9), w, RATES)
    for rate, g in zip(RATES, np.array(GRADIENTS), strict=True):
        v = 0.9 * v + rate * 0.001 * np.linalg.norm(by_hand) / np.linalg.norm(g) * g
        by_hand = by_hand - v
    np.testing.assert_allclose(ours[-1], by_hand, rtol=1e-12)


def test_a_start_at_the_rate_zero_leaves_nothing_to_correct() -> None:
    w = weights(3.0, -4.0)
    path = walk(make(kind="lars").build([w], 0.0, 0.9), w, [0.0, 0.1, 0.1, 0.1])
    assert path[0] == [3.0, -4.0]
    assert np.isfinite(path).all()


@pytest.mark.parametrize(
    ("variant", "goldens"),
    [
        ("literal", {0: 0.00915782, 5: 0.06766764, 9: 0.33516002, 10: 0.5, 11: 0.9, 12: 1.3, 12.5: 1.0}),
        ("continuous", {0: 0.00915782, 5: 0.06766764, 9: 0.33516002, 10: 0.5, 11: 0.7, 12.4999999: 1.0, 12.5: 1.0}),
    ],
)
def test_the_share_of_sgd_has_its_known_values(variant: Any, goldens: dict[float, float]) -> None:
    assert {e: sgd_share(e, 10, 5, variant) for e in goldens} == pytest.approx(goldens, abs=5e-8)


def test_rmsprop_warm_up_follows_its_formula() -> None:
    w, by_hand = weights(3.0, -4.0), np.array([3.0, -4.0])
    optimizer = make(kind="rmsprop_warmup", center=2.0, period=2.0).build([w], 0.1, 0.9)
    square, d = np.zeros(2), np.zeros(2)
    for epoch, g in enumerate(np.array(GRADIENTS)):
        optimizer.param_groups[0]["epoch"] = float(epoch)
        w.grad = torch.tensor(g[None])
        optimizer.step()
        square = 0.99 * square + 0.01 * g**2
        share = 0.5 * math.exp(epoch - 2) if epoch < 2 else min(1.0, 0.5 + (epoch - 2) / 2)
        d = 0.9 * d - (share + (1 - share) * 3e-4 / 0.1 / (np.sqrt(square) + 1e-8)) * g
        by_hand = by_hand + 0.1 * d
    np.testing.assert_allclose(w.detach().ravel(), by_hand, rtol=1e-12)


def test_rmsprop_warm_up_becomes_sgd_by_the_epochs_of_its_cell(cells: Cells, train: Train) -> None:
    ramp = {"kind": "rmsprop_warmup", "center": 0.5, "period": 1.0}
    (warmed,) = cells(optimizer=ramp, momentum=0.9, batch_sizes=[400], budget={"epochs": 3}, lr=RATE, probes=[])
    plain = dict(cells(optimizer={"kind": "sgd"}, momentum=0.9, batch_sizes=[400], lr=RATE)[0])
    kept = train(warmed, block_steps=1).states
    assert warmed.steps == 6
    # From one epoch on its steps are those of SGD from the same weights and velocity.
    task, torchs = (Task(cell, warmed.dataset.load(Path()), torch.device("cpu")) for cell in (warmed, Cell(**plain)))
    task.restore(kept[1].arrays)
    for p, q in zip(task.params, torchs.params, strict=True):
        q.data.copy_(p.data)
        torchs.optimizer.state[q]["momentum_buffer"] = -task.optimizer.state[p]["velocity"]
    for each in (task, torchs):
        each.set_rate(0.1)
    task.begin(3, 800)
    for each in (task, torchs):
        each.backward(slice(0, 400))
        each.step()
    torch.testing.assert_close(task.params, torchs.params, rtol=1e-6, atol=1e-7)


RATE = {"rule": "fixed", "base": 0.1}


def sam_by_hand(task: Task, rows: Any, rho: float, eta: float | None) -> list[Tensor]:
    """The two passes written out: climb along the (scaled) gradient, take the gradient there, step from below."""
    start = [p.detach().clone() for p in task.params]
    task.backward(rows)
    gradients = [p.grad.clone() for p in task.params if p.grad is not None]
    scales = [torch.ones_like(p) if eta is None else p.abs() + eta for p in start]
    length = math.sqrt(sum(float((t * g).square().sum()) for t, g in zip(scales, gradients, strict=True)))
    for p, t, g in zip(task.params, scales, gradients, strict=True):
        p.data += rho * t * t * g / length
    task.backward(rows)
    return [w - 0.1 * p.grad for w, p in zip(start, task.params, strict=True) if p.grad is not None]


@pytest.mark.parametrize(("document", "rho", "eta"), [({"kind": "sam", "rho": 0.1}, 0.1, None),
                                                       ({"kind": "asam", "rho": 0.7}, 0.7, 0.01)])  # fmt: skip
@pytest.mark.parametrize("in_parts", [False, True])
def test_sam_takes_the_two_passes_written_out(
    document: dict[str, Any], rho: float, eta: float | None, in_parts: bool, cells: Cells
) -> None:
    network = {"dataset": {"kind": "iris"}, "model": {"kind": "mlp", "widths": [5]}, "precision": "float64"}
    (cell,) = cells(**network, batch_sizes=[90], optimizer=document, lr=RATE)
    task, other = (Task(cell, cell.dataset.load(Path()), torch.device("cpu")) for _ in range(2))
    if in_parts:
        task.most_rows = 40
    rows = torch.arange(90)
    expected = sam_by_hand(other, rows, rho, eta)
    task.backward(rows)
    task.step()
    torch.testing.assert_close([p.detach() for p in task.params], expected, rtol=1e-9, atol=1e-12)


def test_what_sam_records_is_measured_at_the_weights_themselves(cells: Cells, train: Train) -> None:
    plain, sharp = (cells(optimizer={"kind": kind})[0] for kind in ("sgd", "sam"))
    ours, theirs = train(sharp), train(plain)
    for metric in ("loss", "grad_norm", "param_norm"):
        assert ours.curve(metric)[0] == theirs.curve(metric)[0]
    assert ours.curve("update_norm")[0] != theirs.curve("update_norm")[0]


def test_a_step_of_sam_without_a_second_gradient_is_refused() -> None:
    w = weights(1.0)
    with pytest.raises(TypeError, match="closure"):
        make(kind="sam").build([w], 0.1, 0.0).step()


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "rmsprop", "adam", "adamw", "rmsprop_warmup"])
def test_biases_may_be_left_out_of_the_decay(kind: str) -> None:
    def moved(decay_on: str, decay: float) -> tuple[Any, Any]:
        w, b = weights(3.0, -4.0), torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
        optimizer = make(kind=kind, weight_decay=decay, decay_on=decay_on).build([w, b], 0.1, None)
        w.grad, b.grad = torch.full_like(w, 0.1), torch.full_like(b, 0.1)
        optimizer.step()
        w.grad, b.grad = torch.full_like(w, 0.3), torch.full_like(b, 0.3)
        optimizer.step()
        return w.detach().tolist(), b.detach().tolist()

    assert moved("weights", 0.5) == (moved("all", 0.5)[0], moved("all", 0.0)[1])
    assert moved("all", 0.5)[1] != moved("all", 0.0)[1]


@pytest.mark.parametrize(("kind", "variant"), [("lars", "optax"), ("lamb", "paper"), ("rmsprop_warmup", "literal")])
def test_a_result_declares_the_variant(kind: str, variant: str, cells: Cells, train: Train) -> None:
    (cell,) = cells(optimizer={"kind": kind, "variant": variant}, lr=RATE)
    assert train(cell).result["optimizer_variant"] == variant


def test_a_result_of_a_method_with_one_form_declares_none(cells: Cells, train: Train) -> None:
    assert "optimizer_variant" not in train(cells()[0]).result
