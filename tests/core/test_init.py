"""Initial weights are a pure function of model, scheme and seed."""

import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from batchlab.cell import Cell
from batchlab.errors import SpecError
from batchlab.init import Scaled, Scheme, network
from batchlab.models import Cnn, Mlp, ResNet, Softmax
from batchlab.models.norms import Batch


def weights(model: Any, init: Scheme, seed: int = 0) -> dict[str, torch.Tensor]:
    return {name: p.detach() for name, p in network(model, (1, 16, 16), 10, init, seed).named_parameters()}


def test_the_textbooks_softmax_starts_at_zero() -> None:
    assert not any(w.any() for w in weights(Softmax(), "default").values())


@pytest.mark.parametrize("init", get_args(Scheme))
@pytest.mark.parametrize("model", [Mlp(widths=(32,)), Cnn()], ids=["mlp", "cnn"])
def test_the_same_seed_gives_the_same_weights(model: Any, init: Scheme) -> None:
    first, again, other = (weights(model, init, seed) for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    same = all(torch.equal(first[name], other[name]) for name in first)
    assert same == (init in ("zeros", "ones"))


@pytest.mark.parametrize(
    ("init", "sd"),
    [
        ("normal", 0.01),
        ("uniform", 0.05 / math.sqrt(3)),
        ("xavier", math.sqrt(2 / (256 + 512))),
        ("kaiming", math.sqrt(2 / 256)),
        ("default", 1 / math.sqrt(3 * 256)),
    ],
)
def test_a_scheme_has_its_standard_deviation(init: Scheme, sd: float) -> None:
    w = weights(Mlp(widths=(512,)), init)["hidden1.weight"]
    assert float(w.std()) == pytest.approx(sd, rel=0.02)
    assert abs(float(w.mean())) < 0.02 * sd


def test_orthogonal_weights_keep_lengths() -> None:
    w = weights(Mlp(widths=(64,)), "orthogonal")["hidden1.weight"]
    torch.testing.assert_close(w @ w.T, torch.eye(64), atol=1e-5, rtol=0)


def test_named_schemes_start_biases_at_zero() -> None:
    assert not weights(Mlp(), "kaiming")["hidden1.bias"].any()


@pytest.mark.parametrize("init", ["zeros", "ones", "kaiming", "orthogonal"])
def test_norm_layers_keep_their_own_start_under_every_scheme(init: Scheme) -> None:
    found = weights(Mlp(widths=(8,), norm=Batch()), init)
    assert (found["hidden1_norm.weight"] == 1).all()
    assert not found["hidden1_norm.bias"].any()
    zeroed = weights(ResNet(depth=8, width=2, zero_gamma=True), init)
    assert (float(zeroed["block1_1.body.norm1.weight"].min()), float(zeroed["block1_1.body.norm2.weight"].max())) == (
        1,
        0,
    )


def test_a_scale_multiplies_the_weights_of_a_scheme() -> None:
    plain = weights(Mlp(), "kaiming")
    for name, w in network(Mlp(), (1, 16, 16), 10, Scaled(scheme="kaiming", scale=3.0), 0).named_parameters():
        torch.testing.assert_close(w.detach(), 3 * plain[name])


def test_a_scaled_scheme_is_part_of_a_spec(cells: Callable[..., tuple[Cell, ...]], train: Callable[..., Any]) -> None:
    (cell,) = cells(init={"scheme": "normal", "scale": 5.0}, budget={"steps": 1})
    assert Cell.model_validate_json(cell.model_dump_json()) == cell
    assert train(cell).curve("param_norm")[0] == pytest.approx(0.05 * math.sqrt(6), rel=0.7)
    with pytest.raises(SpecError, match=r"init\.scale"):
        cells(init={"scheme": "normal", "scale": 0})


def test_torchs_own_generator_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network(Mlp(), (1, 16, 16), 10, "default", 0)
    assert torch.equal(torch.rand(3), expected)
