"""Initial weights: a pure function of the model, the scheme and the seed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from batchlab import streams

if TYPE_CHECKING:
    import torch
    from torch import nn

Init = Literal["default", "zeros", "ones", "normal", "uniform", "xavier", "kaiming", "orthogonal"]
"""Schemes. `default`: zeros for softmax regression, else torch's own (weights and biases uniform within
1 / sqrt(fan in)). The others set every weight so and every bias to 0: `normal` N(0, 0.01^2), `uniform` within 0.05,
`xavier` uniform (Glorot & Bengio 2010), `kaiming` normal for ReLU (He et al. 2015), `orthogonal` (Saxe et al. 2014)."""


def network(model: Any, inputs: tuple[int, ...], outputs: int, init: Init, seed: int) -> "nn.Module":
    """The model's network with its initial weights: float32, on the CPU. The global generator is left as it was."""
    import torch

    key = streams.torch_seed(seed, "init")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key)
        net: nn.Module = model.build(inputs, outputs)
    scheme = "zeros" if init == "default" and model.zero_start else init
    if scheme != "default":
        _fill(net, scheme, torch.Generator().manual_seed(key))
    return net


def _fill(net: "nn.Module", scheme: str, generator: "torch.Generator") -> None:
    from torch import nn

    fillers: dict[str, Callable[[torch.Tensor], Any]] = {
        "zeros": nn.init.zeros_,
        "ones": nn.init.ones_,
        "normal": lambda w: nn.init.normal_(w, 0.0, 0.01, generator=generator),
        "uniform": lambda w: nn.init.uniform_(w, -0.05, 0.05, generator=generator),
        "xavier": lambda w: nn.init.xavier_uniform_(w, generator=generator),
        "kaiming": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=generator),
        "orthogonal": lambda w: nn.init.orthogonal_(w, generator=generator),
    }
    for parameter in net.parameters():
        (fillers[scheme] if parameter.ndim > 1 else nn.init.zeros_)(parameter)
