"""What an analysis holds: numbers by the thousand in a few arrays, arrays one by one."""

from typing import Any

import numpy as np
import pytest
from batchlab.analyses.base import CHUNK, Held
from numpy.typing import NDArray


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_numbers_come_back_in_order_from_few_arrays(count: int) -> None:
    arrays: dict[str, NDArray[Any]] = {}
    held = Held(arrays).part("measure")
    for value in range(count):
        held.add("rise", value / 3)
    assert held.numbers("rise").tolist() == [value / 3 for value in range(count)]
    assert held.numbers("rise").dtype == np.float64
    assert len(arrays) == -(-count // CHUNK)


def test_a_state_that_was_taken_earlier_is_not_written_to() -> None:
    arrays: dict[str, NDArray[Any]] = {}
    held = Held(arrays)
    for value in range(CHUNK + 3):
        held.add("rise", value)
    earlier = dict(arrays)
    held.add("rise", -1.0)
    assert Held(earlier).numbers("rise").tolist() == list(range(CHUNK + 3))


@pytest.mark.parametrize("count", [*range(10), 31, 32, 33])
def test_a_series_keeps_arrays_of_any_shape_in_order(count: int) -> None:
    held = Held({})
    for i in range(count):
        held.append("rows", np.arange(i))
    assert [len(row) for row in held.series("rows")] == list(range(count))


def test_parts_do_not_see_each_other() -> None:
    held = Held({})
    held.part("a").add("rise", 1.0)
    held.part("b").add("rise", 2.0)
    assert held.part("a").numbers("rise").tolist() == [1.0]
    held.part("a").clear()
    assert (held.part("a").numbers("rise").size, held.part("b").numbers("rise").tolist()) == (0, [2.0])
