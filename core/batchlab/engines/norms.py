"""The statistics that batch normalisation holds, taken anew for the weights that a network has."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def norms(net: nn.Module) -> list[nn.Module]:
    """The layers that normalise by statistics which they hold."""
    return [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


@torch.no_grad()
def reestimate(net: nn.Module, parts: Iterable[Tensor], forward: Callable[[Tensor], Tensor]) -> None:
    """Take the statistics anew over all rows in `parts`, which `forward` passes through the network.

    A part of b rows after s earlier ones counts b / (s + b), so that uneven parts are weighted rightly. Nothing else is
    in training mode meanwhile: no row's units are left out.
    """
    layers, before, seen = norms(net), net.training, 0
    if not layers:
        return
    net.eval()
    with _training(layers):
        for x in parts:
            seen += len(x)
            for layer in layers:
                layer.momentum = len(x) / seen  # type: ignore[assignment]
            forward(x)
    net.train(before)


@contextmanager
def _training(layers: Sequence[Any]) -> Iterator[None]:
    """These layers in training mode on whole parts, their statistics empty at first."""
    before = [(layer.momentum, getattr(layer, "virtual_rows", None)) for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.virtual_rows = None
        layer.train()
    yield
    for layer, (layer.momentum, layer.virtual_rows) in zip(layers, before, strict=True):
        layer.eval()
