"""Initial weights are a pure function of model, scheme and seed."""

import math
from typing import Any, get_args

import pytest
import torch
from batchlab.init import Init, network
from batchlab.models import Cnn, Mlp, Softmax


def weights(model: Any, init: Init, seed: int = 0) -> dict[str, torch.Tensor]:
    return {name: p.detach() for name, p in network(model, (1, 16, 16), 10, init, seed).named_parameters()}


def test_the_textbooks_softmax_starts_at_zero() -> None:
    assert not any(w.any() for w in weights(Softmax(), "default").values())


@pytest.mark.parametrize("init", get_args(Init))
@pytest.mark.parametrize("model", [Mlp(widths=(32,)), Cnn()], ids=["mlp", "cnn"])
def test_the_same_seed_gives_the_same_weights(model: Any, init: Init) -> None:
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
def test_a_scheme_has_its_standard_deviation(init: Init, sd: float) -> None:
    w = weights(Mlp(widths=(512,)), init)["hidden1.weight"]
    assert float(w.std()) == pytest.approx(sd, rel=0.02)
    assert abs(float(w.mean())) < 0.02 * sd


def test_orthogonal_weights_keep_lengths() -> None:
    w = weights(Mlp(widths=(64,)), "orthogonal")["hidden1.weight"]
    torch.testing.assert_close(w @ w.T, torch.eye(64), atol=1e-5, rtol=0)


def test_named_schemes_start_biases_at_zero() -> None:
    assert not weights(Mlp(), "kaiming")["hidden1.bias"].any()


def test_torchs_own_generator_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network(Mlp(), (1, 16, 16), 10, "default", 0)
    assert torch.equal(torch.rand(3), expected)
