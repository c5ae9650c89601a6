"""Checkpoints as bytes: everything comes back, damage is noticed, nothing is executed."""

import pickle

import numpy as np
import pytest
from batchlab import state
from batchlab.engines.base import State
from batchlab.errors import DataError


def sample() -> State:
    arrays = {"net/w": np.arange(6, dtype=np.float32).reshape(2, 3), "optimizer/0/step": np.array(3.0)}
    return State(arrays, {"tally": {"done": 7, "sums": {"grad_norm": 0.1 + 0.2}, "target_step": None}, "most_rows": 5})


def test_a_state_survives_as_bytes() -> None:
    back = state.from_bytes(state.to_bytes(sample()))
    assert back.meta == sample().meta
    for name, array in sample().arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
        assert (back.arrays[name].dtype, back.arrays[name].shape) == (array.dtype, array.shape)


def test_arrays_come_back_whatever_their_layout_in_memory() -> None:
    grid = np.arange(24.0).reshape(2, 3, 4)
    laid = {
        "column": grid[0, :, 1],
        "transposed": grid[1].T,
        "by columns": np.asfortranarray(grid),
        "backwards": grid[::-1, ::2],
        "channels last": np.moveaxis(grid.transpose(1, 2, 0).copy(), -1, 0),
        "spread": np.broadcast_to(np.float64(5.0), (3,)),
        "scalar": grid[1, 2, 3],
    }
    back = state.from_bytes(state.to_bytes(State(laid, {}))).arrays
    weights = state.weights_from_bytes(state.weights_to_bytes(laid))
    for name, array in laid.items():
        np.testing.assert_array_equal(back[name], array)
        np.testing.assert_array_equal(weights[name], array)
    by_rows = {name: np.array(array, order="C") for name, array in laid.items()}
    assert state.weights_to_bytes(by_rows) == state.weights_to_bytes(laid)


def test_equal_states_have_equal_bytes() -> None:
    assert state.to_bytes(sample()) == state.to_bytes(sample())


def test_numbers_that_are_not_finite_survive() -> None:
    back = state.from_bytes(state.to_bytes(State({"x": np.array([np.nan, np.inf])}, {"last": {"val_loss": np.inf}})))
    assert np.isnan(back.arrays["x"][0])
    assert back.meta == {"last": {"val_loss": np.inf}}


@pytest.mark.parametrize("end", [0, 4, 8, 60, -1])
def test_a_torn_checkpoint_is_refused(end: int) -> None:
    with pytest.raises(DataError, match="damaged checkpoint"):
        state.from_bytes(state.to_bytes(sample())[:end])


def test_a_pickle_is_refused() -> None:
    with pytest.raises(DataError):
        state.from_bytes(pickle.dumps({"a": 1}))
