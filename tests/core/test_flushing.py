"""Numbers that are too small to be normal count as zero while cells are trained, and only then."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines.flushing import SUBNORMAL, flushed, flushes


@flushed
def look(times: int) -> Iterator[tuple[bool, float]]:
    for _ in range(times):
        yield flushes(), float(np.full(1, SUBNORMAL, np.float32)[0] * np.float32(1))


@pytest.fixture(autouse=True)
def own_way() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("before", [False, True])
def test_it_holds_within_an_item_and_the_callers_way_comes_back(before: bool) -> None:
    torch.set_flush_denormal(before)
    for within, small in look(3):
        assert (within, small) == (True, 0.0)
        assert flushes() is before
    assert flushes() is before


def test_an_error_and_an_early_end_give_the_way_back_too() -> None:
    @flushed
    def failing() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    items = failing()
    next(items)
    with pytest.raises(ZeroDivisionError):
        next(items)
    assert not flushes()
    assert next(look(3))[0] and not flushes()


@pytest.mark.parametrize("engine", ["reference", "compiled", "stacked"])
def test_an_engine_leaves_no_such_weight(
    engine: str, cells: Callable[..., tuple[Cell, ...]], train: Callable[..., Any]
) -> None:
    """Decay halves the weights of pixels that are always white at each update, to 2^-140 of the first."""
    (cell,) = cells(
        engine=engine, lr={"rule": "fixed", "base": 0.5}, optimizer={"kind": "sgd", "weight_decay": 1.0},
        budget={"steps": 140}, dataset={"kind": "digits", "normalise": "none"}, checkpoints=[{"kind": "last"}],
    )  # fmt: skip
    last = train(cell, engine=engine).blocks[-1]
    weights = np.concatenate([np.ravel(one) for one in last.kept[140].weights.values()])
    assert (weights == 0).any()
    assert (np.abs(weights[weights != 0]) >= np.finfo(np.float32).tiny).all()
