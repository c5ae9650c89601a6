"""Initial weights: a pure function of the model, the scheme and the seed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from batchlab import streams
from batchlab.kinds import Strict

if TYPE_CHECKING:
    import torch
    from torch import nn

Scheme = Literal["default", "zeros", "ones", "normal", "uniform", "xavier", "kaiming", "orthogonal"]
"""Schemes. `default`: zeros for softmax regression, else torch's own (weights and biases uniform within
1 / sqrt(fan in)). The others set every weight so and every bias to 0: `normal` N(0, 0.01^2), `uniform` within 0.05,
`xavier` uniform (Glorot & Bengio 2010), `kaiming` normal for ReLU (He et al. 2015), `orthogonal` (Saxe et al. 2014).
Norm layers keep their own start in all of them: weights of 1, biases of 0."""


class Scaled(Strict):
    """A scheme whose weights are multiplied by a number (its gain)."""

    scheme: Scheme
    scale: Annotated[float, Field(gt=0)]
    """What each weight is multiplied by: `{"scheme": "normal", "scale": 5}` draws from N(0, 0.05^2)."""


def _form(value: Any) -> Literal["name", "scaled"]:
    return "name" if isinstance(value, str) else "scaled"


Init = Annotated[Annotated[Scheme, Tag("name")] | Annotated[Scaled, Tag("scaled")], Discriminator(_form)]
"""A scheme by its name, or with a scale."""


def network(model: Any, inputs: tuple[int, ...], outputs: int, init: Scheme | Scaled, seed: int) -> "nn.Module":
    """The model's network with its initial weights: float32, on the CPU. The global generator is left as it was."""
    import torch

    named, scale = (init.scheme, init.scale) if isinstance(init, Scaled) else (init, 1.0)
    key = streams.torch_seed(seed, "init")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key)
        net: nn.Module = model.build(inputs, outputs)
    scheme = "zeros" if named == "default" and model.zero_start else named
    if scheme != "default":
        _fill(net, scheme, torch.Generator().manual_seed(key))
    if scale != 1.0:
        _stretch(net, scale)
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
    for parameter in _filled(net):
        (fillers[scheme] if parameter.ndim > 1 else nn.init.zeros_)(parameter)


def _filled(net: "nn.Module") -> "list[nn.Parameter]":
    """The parameters, those of norm layers aside."""
    from torch import nn

    norms = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    own = {id(p) for module in net.modules() if isinstance(module, norms) for p in module.parameters()}
    return [p for p in net.parameters() if id(p) not in own]


def _stretch(net: "nn.Module", scale: float) -> None:
    import torch

    with torch.no_grad():
        for parameter in _filled(net):
            if parameter.ndim > 1:
                parameter.mul_(scale)
