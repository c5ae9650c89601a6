"""The momentum by update: a schedule of its own, or the cycle that goes with the rate's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab.cell import Cell
from batchlab.errors import SpecError

from tests.core.conftest import Trained

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Trained]
HALVED = {"kind": "multistep", "milestones": [0.5], "gamma": 0.5}


def test_a_momentum_schedule_multiplies_the_momentum_and_is_stored(cells: Cells, train: Train) -> None:
    (cell,) = cells(momentum=0.8, momentum_schedule=HALVED)
    found = train(cell).curve("momentum")
    np.testing.assert_array_equal(found, np.float32([0.8] * 15 + [0.4] * 15))


def test_the_momentum_that_is_stored_is_the_one_that_trains(cells: Cells, train: Train) -> None:
    """A velocity of the gradients alone, written out: the updates follow it."""
    norms: dict[str, Any] = {}
    for name, schedule in (("still", None), ("none", {"kind": "scale", "by": 1e-12})):
        (cell,) = cells(momentum=0.9, momentum_schedule=schedule, probes=[{"kind": "update_norm"}])
        norms[name] = train(cell).curve("update_norm")
    (plain,) = cells(momentum=0.0, probes=[{"kind": "update_norm"}])
    np.testing.assert_allclose(norms["none"], train(plain).curve("update_norm"), rtol=1e-5)
    assert norms["still"][10] > 2 * norms["none"][10]


def test_one_cycle_moves_the_momentum_against_the_rate(cells: Cells, train: Train) -> None:
    (cell,) = cells(momentum=0.95, schedule={"kind": "one_cycle"})
    done = train(cell)
    rate, momentum = done.curve("lr"), done.curve("momentum")
    assert rate.argmax() == momentum.argmin()
    assert (momentum[0], momentum.min(), momentum[-1]) == pytest.approx((0.95, 0.85, 0.95))


def test_a_momentum_schedule_of_its_own_replaces_the_cycle(cells: Cells) -> None:
    (cell,) = cells(momentum=0.95, schedule={"kind": "one_cycle"}, momentum_schedule={"kind": "constant"})
    assert cell.momenta(np.arange(30.0)) == pytest.approx(np.full(30, 0.95))


def test_an_optimizer_without_momentum_has_none_to_move(cells: Cells, train: Train) -> None:
    (cell,) = cells(optimizer={"kind": "adam"}, schedule={"kind": "one_cycle"})
    assert "momentum" not in train(cell).metrics()
    with pytest.raises(SpecError, match="momentum_schedule: adam has no momentum: leave it out"):
        cells(optimizer={"kind": "adam"}, momentum_schedule=HALVED)


def test_a_momentum_that_comes_to_one_is_refused(cells: Cells) -> None:
    with pytest.raises(SpecError, match=r"momentum_schedule: takes the momentum to 1\.2: keep it below 1"):
        cells(momentum=[0.1, 0.6], momentum_schedule={"kind": "multistep", "milestones": [0.5], "gamma": 2.0})


def test_a_run_is_taken_up_in_the_middle_of_a_momentum_cycle(cells: Cells, train: Train) -> None:
    (cell,) = cells(momentum=0.9, schedule={"kind": "one_cycle"})
    whole, parts = train(cell), train(cell, block_steps=7)
    rest = train(cell, state=parts.states[1])
    assert rest.curve("momentum").tobytes() == whole.curve("momentum")[14:].tobytes()
    assert rest.curve("train_loss")[-1] == whole.curve("train_loss")[-1]
