"""Numbers too small to be normal are taken for zero while cells are trained.

A softmax that is sure of itself leaves such numbers in every gradient, and some processors take a hundred times as long
for each. They are below 1.2e-38 in single precision: a result that depended on them would be one of rounding.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")
SUBNORMAL = 1e-40


def flushed(train: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """The same generator, whose own work is done that way, on the calling thread and on those that it starts. Between
    two items the caller has its own way back."""

    @wraps(train)
    def flushing(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        items = train(*args, **kwargs)
        while True:
            before = flushes()
            torch.set_flush_denormal(True)
            try:
                item = next(items, None)
            finally:
                torch.set_flush_denormal(before)
            if item is None:
                return
            yield item

    return flushing


def flushes() -> bool:
    """Whether this thread does so already."""
    return bool((torch.full((), SUBNORMAL) * 1.0).item() == 0.0)
