"""How numbers lie in memory changes how fast a network is trained, and nothing else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines import layout
from batchlab.engines import task as tasks
from batchlab.models import Cnn, Mlp, ResNet
from batchlab.models.norms import Batch, Group
from torch import nn

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]

CPU = torch.device("cpu")
RESIDUAL = {"kind": "resnet", "depth": 8, "width": 4, "norm": {"kind": "none"}}
PICTURES: dict[str, Any] = {
    "dataset": {"kind": "digits"},
    "momentum": 0.9,
    "lr": {"rule": "fixed", "base": 0.02},
    "batch_sizes": [400],
    "budget": {"steps": 12},
}


def test_what_convolves_in_float32_on_a_cpu_has_the_channels_of_a_pixel_together() -> None:
    cnn, mlp = Cnn().build((3, 8, 8), 10), Mlp().build((64,), 10)
    assert layout.layout(cnn, "float32", CPU) == torch.channels_last
    assert layout.layout(cnn, "float64", CPU) == layout.layout(cnn, "bfloat16", CPU) == torch.contiguous_format
    assert layout.layout(cnn, "float32", torch.device("cuda:0")) == torch.contiguous_format
    for other in (mlp, ResNet(norm=Batch()).build((3, 8, 8), 10), Cnn(norm=Group(groups=2)).build((3, 8, 8), 10)):
        assert layout.layout(other, "float32", CPU) == torch.contiguous_format


@pytest.mark.parametrize("model", [{"kind": "cnn", "channels": [4, 6]}, RESIDUAL], ids=lambda model: model["kind"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_network_trains_as_it_does_in_plain_order(
    model: dict[str, Any], optimizer: str, cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No farther from the run in double precision than five times the plain order is, or 1e-5 of the largest value."""
    changes = {"momentum": 0.0, "lr": {"rule": "fixed", "base": 0.002}} if optimizer == "adamw" else {}
    (cell,) = cells(**{**PICTURES, **changes}, model=model, optimizer={"kind": optimizer})
    ours = train(cell)
    exact = train(cell.model_copy(update={"precision": "float64"}))
    monkeypatch.setattr(tasks, "layout", lambda *_: torch.contiguous_format)
    plain = train(cell)
    for metric in set(ours.metrics()) - {"step_seconds"}:
        truth = exact.curve(metric)
        scale = np.abs(truth).max() or 1.0
        error, usual = (np.abs(run.curve(metric) - truth).max() / scale for run in (ours, plain))
        assert error <= 5 * usual + 1e-5, metric


@pytest.mark.parametrize("rows", [torch.tensor([4, 0, 4]), slice(1, 4)], ids=["numbers", "a stretch"])
def test_rows_are_taken_as_they_lie(rows: Any) -> None:
    pictures = torch.arange(5 * 3 * 4 * 2.0).reshape(5, 3, 4, 2)
    laid_out = layout.laid_out(pictures, torch.channels_last)
    taken = layout.take(laid_out, rows)
    assert taken.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(taken, pictures[rows], rtol=0, atol=0)
    features = pictures.reshape(5, -1)
    assert layout.laid_out(features, torch.channels_last) is features
    torch.testing.assert_close(layout.take(features, rows), features[rows], rtol=0, atol=0)


def test_what_is_restored_lies_as_what_it_belongs_to_and_keeps_its_kind() -> None:
    like = torch.zeros(2, 3, 2, 2).contiguous(memory_format=torch.channels_last).requires_grad_()
    value = torch.rand(2, 3, 2, 2, dtype=torch.float64)
    found = layout.in_place_of(like, value)
    assert found.stride() == like.stride()
    assert not found.requires_grad
    torch.testing.assert_close(found, value, rtol=0, atol=0)
    scalar = torch.tensor(3)
    assert layout.in_place_of(like, scalar).dtype == torch.int64


@pytest.mark.parametrize(("size", "padding", "sides"), [(2, 0, 4), (3, 1, 5)])
def test_pooling_before_relu_gives_the_numbers_of_pooling_behind_it(size: int, padding: int, sides: int) -> None:
    """Among them ties, windows without a positive number, and what is not finite; a zero may have the other sign."""
    draws = torch.Generator().manual_seed(0)
    x = torch.randint(-3, 3, (64, 2, 9, 9), generator=draws).float()
    x[0, 0, 0, :3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    weight = torch.rand(64, 2, sides, sides, generator=draws)
    pool, found = nn.MaxPool2d(size, 2, padding), []
    for layers in (nn.Sequential(pool, nn.ReLU()), nn.Sequential(nn.ReLU(), pool)):
        own = x.clone().requires_grad_()
        y = layers(own)
        (y * weight).sum().backward()
        found.append((y.detach().numpy(), own.grad))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
