"""How numbers lie in memory: it changes how fast a network is trained, and of its numbers only the roundings."""

import ctypes
import sys
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Rows = Tensor | slice
"""Which rows a batch takes: numbers, or a stretch that needs no gathering."""
NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
TRIM, MMAP = -1, -3
"""glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD (malloc.h)."""
KEPT_BYTES = 2**30
"""What a process keeps of the memory that it has freed, at most."""


def layout(net: nn.Module, precision: str, device: torch.device) -> torch.memory_format:
    """Where a network convolves in float32 on a CPU, the channels of a pixel side by side: 1.2 to 1.8 times faster.

    Not where it normalises: torch's batch norm sums such numbers in single precision, fifty times less exactly.
    """
    kinds = [type(module) for module in net.modules()]
    convolves = nn.Conv2d in kinds and not any(issubclass(kind, NORMS) for kind in kinds)
    fast = convolves and precision == "float32" and device.type == "cpu"
    return torch.channels_last if fast else torch.contiguous_format


def lay_out(net: nn.Module, memory: torch.memory_format) -> nn.Module:
    """The network itself, its filters now in this layout."""
    return net.to(memory_format=memory)  # type: ignore[call-overload, no-any-return]


def laid_out(x: Tensor, memory: torch.memory_format) -> Tensor:
    """Pictures (N, C, H, W) in this layout; rows of features as they are."""
    return x.contiguous(memory_format=memory) if x.ndim == 4 else x


def in_place_of(like: Tensor, value: Tensor) -> Tensor:
    """A copy of `value` that lies in memory as `like` does: some kernels trust that what they combine lies alike."""
    if value.shape != like.shape:
        return value.to(like.device)
    return torch.empty_like(like, dtype=value.dtype, requires_grad=False).copy_(value)


def take(values: Tensor, rows: Rows) -> Tensor:
    """These rows, which lie as all of them do."""
    if isinstance(rows, slice):
        return values[rows]
    if values.is_contiguous():
        return values.index_select(0, rows)
    return values.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)  # index_select gives plain order


def parts(rows: Rows, n: int, most: int) -> Iterator[Rows] | Sequence[Tensor]:
    """The rows in parts of at most `most`; a slice stands for all `n`."""
    if isinstance(rows, slice):
        return (slice(first, min(first + most, n)) for first in range(0, n, most))
    return torch.split(rows, most)


def keep_freed_memory() -> None:
    """Let the process keep what it frees: large batches would get each array in pages to be cleared, at every update.

    With glibc alone; elsewhere nothing happens. MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ are overruled.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(TRIM, KEPT_BYTES)
        library.mallopt(MMAP, KEPT_BYTES)
