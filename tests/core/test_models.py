"""Networks: as large as their papers say, normalised by the batch they see, and thinned by counted draws."""

import copy
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.cell import Cell
from batchlab.errors import SpecError
from batchlab.models import Cnn, Keskar, LeNet, Linear, Mlp, ResNet, Vgg
from batchlab.models.modules import BatchNorm, Dropout, draws_of
from batchlab.models.norms import Batch, ByRow, Group
from batchlab.spec import parse_spec
from pydantic import ValidationError
from torch import nn

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]
CIFAR, MNIST = (3, 32, 32), (1, 28, 28)


def size(model: Any, inputs: tuple[int, ...], outputs: int = 10) -> int:
    """How many numbers are learnt."""
    return sum(map(prod, model.parameters(inputs, outputs).values()))


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.73)])
def test_a_resnet_is_as_large_as_its_paper_says(depth: int, millions: float) -> None:
    """He et al. (2016), table 6 (1.7 for 110 layers); the exact counts follow from the layers."""
    assert size(ResNet(depth=depth), CIFAR) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("model", "inputs", "expected"),
    [
        (ResNet(depth=20), CIFAR, 269_722),
        (ResNet(depth=110), CIFAR, 1_727_962),
        (ResNet(depth=20, shortcuts="none"), CIFAR, 269_722),
        (ResNet(depth=20, shortcuts="B"), CIFAR, 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)),
        (LeNet(), MNIST, 61_706),
        (Keskar(network="F1"), MNIST, 784 * 512 + 4 * 512 * 512 + 5 * 3 * 512 + 512 * 10 + 10),
        (Keskar(network="F2"), (360,), 360 * 512 + 6 * 512 * 512 + 7 * 3 * 512 + 512 * 10 + 10),
        (Keskar(network="C1"), CIFAR, 3 * 1600 + 64 * 1600 + 4096 * 384 + 384 * 192 + 3 * (128 + 576) + 1930),
        (Keskar(network="C2"), CIFAR, 14_714_688 + 13 * 0 + 2 * 4224 + 512 * 512 + 3 * 512 + 5130),
    ],
    ids=["resnet20", "resnet110", "plain20", "resnet20B", "lenet", "F1", "F2", "C1", "C2"],
)
def test_a_known_network_has_its_number_of_parameters(model: Any, inputs: tuple[int, ...], expected: int) -> None:
    """14 714 688 is what the convolutions of VGG-16 have with their biases; 4224 of their channels are normalised."""
    assert size(model, inputs) == expected


def test_shallow_and_deep_networks_have_the_layers_of_their_paper() -> None:
    kinds = [type(module).__name__ for module in Keskar(network="C3").build(CIFAR, 100)]
    convolution, layer = ["Conv2d", "BatchNorm", "MaxPool2d", "ReLU"], ["Linear", "BatchNorm", "ReLU", "Dropout"]
    assert kinds == [*convolution * 2, "Flatten", *layer * 2, "Linear"]
    deep = Keskar(network="C4").build(CIFAR, 100)
    assert [m.rate for m in deep.modules() if isinstance(m, Dropout)] == [0.3, *[0.4] * 7, 0.5, 0.5]


MODELS = [
    Mlp(widths=(8, 8), dropout=0.25),
    Cnn(channels=(4, 8), width=8, dropout=0.5),
    LeNet(),
    Vgg(stages=((4,), (4, 8)), width=8),
    Keskar(network="C1"),
    Keskar(network="F1"),
    ResNet(depth=14, width=4),
    ResNet(depth=8, width=4, shortcuts="B", zero_gamma=True),
    ResNet(depth=8, width=4, shortcuts="none"),
]
NORMS = [Batch(), Batch(virtual_rows=2), Group(groups=2), ByRow()]


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: str(norm.kind))
@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.kind))
def test_every_network_takes_every_norm(model: Any, norm: Any) -> None:
    own = model.model_copy(update={"norm": norm})
    net = own.build((3, 13, 13), 5)
    announced = own.parameters((3, 13, 13), 5)
    assert {name: tuple(p.shape) for name, p in net.named_parameters()} == announced
    net(torch.randn(6, 3, 13, 13)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_blocks_with_zero_gamma_start_as_the_identity() -> None:
    block = ResNet(depth=8, width=4, zero_gamma=True).build(CIFAR, 10).get_submodule("block1_1")
    x = torch.rand(2, 4, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_the_shortcut_without_parameters_takes_every_second_pixel() -> None:
    half = ResNet(depth=8, width=4).build(CIFAR, 10).get_submodule("block2_1.shortcut")
    x = torch.rand(2, 4, 6, 6)
    expected = torch.zeros(2, 8, 3, 3)
    expected[:, :4] = x[:, :, ::2, ::2]
    torch.testing.assert_close(half(x), expected)


def test_ghost_batches_are_normalised_each_by_itself() -> None:
    x = torch.randn(7, 3, 4, 4)
    ghost, plain = BatchNorm(3, 2, 0.1), nn.BatchNorm2d(3)
    expected = torch.cat([plain(x[:2]), plain(x[2:4]), plain(x[4:6]), plain(x[6:])])
    torch.testing.assert_close(ghost(x), expected)
    torch.testing.assert_close(ghost.running_var, plain.running_var)
    torch.testing.assert_close(ghost.eval()(x), plain.eval()(x))


def test_one_value_a_channel_is_normalised_to_zero_and_moves_no_average() -> None:
    norm = BatchNorm(3, None, 0.1)
    nn.init.constant_(norm.bias, 2.0)
    assert norm(torch.randn(1, 3)).tolist() == [[2.0, 2.0, 2.0]]
    assert (norm.running_mean is not None) and not norm.running_mean.any()


def test_without_averages_the_latest_batch_normalises_evaluations() -> None:
    norm = Batch(averages=False).build(3)
    x = torch.randn(50, 3)
    norm(torch.randn(8, 3) + 5)
    norm(x)
    expected = (x - x.mean(0)) / (x.var(0) + 1e-5).sqrt()
    torch.testing.assert_close(norm.eval()(x), expected)


def test_dropout_keeps_the_mean_and_draws_the_same_for_the_same_seed() -> None:
    net = nn.Sequential(Dropout(0.25), Dropout(0.5))
    draws = draws_of(net, torch.device("cpu"))
    assert draws is not None
    draws.manual_seed(1)
    first = net(torch.ones(40_000))
    draws.manual_seed(1)
    assert torch.equal(net(torch.ones(40_000)), first)
    assert float(first.mean()) == pytest.approx(1.0, abs=0.03)
    assert sorted(first.unique().tolist()) == pytest.approx([0.0, 1 / (0.75 * 0.5)])
    assert torch.equal(net.eval()(torch.ones(3)), torch.ones(3))
    copy.deepcopy(net)


def test_a_network_without_dropout_draws_nothing() -> None:
    assert draws_of(Linear().build((2,), 1), torch.device("cpu")) is None


@pytest.mark.parametrize(("virtual", "parts"), [(None, 100), (30, 30)])
def test_a_batch_is_never_parted_within_what_is_normalised_together(
    virtual: int | None, parts: int, cells: Cells, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ghost batches are trained in parts to the same weights; statistics of the whole batch forbid parts."""
    norm = {"kind": "batch", **({} if virtual is None else {"virtual_rows": virtual})}
    (cell,) = cells(model={"kind": "mlp", "widths": [8], "norm": norm}, budget={"steps": 5})
    whole = train(cell)
    monkeypatch.setattr("batchlab.engines.task.CPU_BYTES", 30 * 400)
    parted = train(cell)
    most = parted.states[-1].meta["most_rows"]
    assert most >= cell.rows if virtual is None else most % parts == 0 and most < 100
    np.testing.assert_allclose(parted.curve("loss"), whole.curve("loss"), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"model": {"kind": "resnet"}}, "model.kind", "needs pictures"),
        ({"model": {"kind": "keskar", "network": "C2"}}, "model.kind", "keskar needs pictures"),
        ({"model": {"kind": "lenet"}, "dataset": {"kind": "digits"}}, "model.kind", "at least 12x12, not 8x8"),
        ({"model": {"kind": "mlp", "widths": [10], "norm": {"kind": "group"}}}, "model.norm.groups", "4 groups"),
        ({"model": {"kind": "mlp", "norm": {"kind": "batch"}}, "batch_sizes": [8, 1]}, "batch_sizes.1", "one row"),
        (
            {"model": {"kind": "resnet", "norm": {"kind": "none"}, "zero_gamma": True}, "dataset": {"kind": "digits"}},
            "model.zero_gamma",
            "needs a norm",
        ),
    ],
)
def test_what_a_network_cannot_take_is_refused(
    changes: dict[str, Any], path: str, says: str, document: Callable[..., dict[str, Any]], cells: Cells
) -> None:
    with pytest.raises(SpecError) as refused:
        cells(**changes)
    assert [".".join(map(str, fault.loc)) for fault in refused.value.faults] == [path]
    assert says in refused.value.faults[0].msg
    parse_spec(document())


@pytest.mark.parametrize("depth", [9, 19, 2])
def test_a_depth_is_of_whole_blocks(depth: int) -> None:
    with pytest.raises(ValidationError):
        ResNet(depth=depth)
