"""The time that experiments take on given workers."""

from typing import Any

import pytest
from batchlab import cost
from batchlab.cell import Cell
from batchlab.cost import Costs, Rates
from batchlab.engines import plan
from batchlab.estimate import Workplace, eta
from batchlab.expand import expand
from batchlab.spec import parse_spec

SPEC: dict[str, Any] = {
    "dataset": {"kind": "digits"},
    "model": {"kind": "mlp", "widths": [16]},
    "batch_sizes": [4, 16],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"steps": 100},
    "seeds": 2,
    "evaluate": {"every_steps": 100},
}
ADAM: dict[str, Any] = {"optimizer": {"kind": "adam"}, "batch_sizes": [16], "seeds": 8}


def cells(**changes: Any) -> tuple[Cell, ...]:
    return expand(parse_spec({**SPEC, **changes}))


def work(own: tuple[Cell, ...], rates: Rates = cost.TYPICAL) -> float:
    return sum(cost.seconds(cell, plan([cell], "cpu")[0], rates=rates) + 100 * cost.stored(cell) for cell in own)


def test_nothing_is_known_while_nothing_is_measured() -> None:
    assert eta(cells(), []) is eta(cells(), [Workplace(), Workplace()]) is None


def test_the_speeds_are_those_of_the_engines_which_train_the_cells() -> None:
    places = [Workplace(speeds={"compiled": 100.0, "reference": speed}) for speed in (2.0, 3.0)]
    assert eta(cells(engine="reference"), places) == pytest.approx(work(cells(engine="reference")) / 5)
    assert eta(cells(), [Workplace(speeds={"compiled": 4.0})]) == pytest.approx(work(cells()) / 4)


def test_an_engine_without_a_speed_has_that_of_the_others_or_what_the_rates_say() -> None:
    own = cells(engine="reference")
    assert eta(own, [Workplace(speeds={"compiled": 4.0})]) == pytest.approx(work(own) / 4)
    rates = Rates(reference=Costs(update=0.5), stacked=Costs(update=1.0))
    told = eta(own, [Workplace(rates={"cpu": rates}, speeds={"compiled": 4.0})])
    assert told == pytest.approx(work(own, rates))


def test_what_one_worker_trains_does_not_shrink_with_their_number() -> None:
    (one,) = cells(engine="reference", batch_sizes=[4], seeds=1)
    places = [Workplace(speeds={"reference": speed}) for speed in (2.0, 1.0, 2.0)]
    assert eta([one], places) == pytest.approx(work((one,)) / 2)


def test_a_stack_is_one_piece_and_its_cells_share_it() -> None:
    rates = Rates(reference=Costs(update=1.0), stacked=Costs(update=1.0, cell=0.01))
    own, place = cells(**ADAM), Workplace(rates={"cpu": rates})
    engine, together, updates = place.plan(own)
    assert (engine, together) == ("stacked", 8)
    evaluated = 0.5 / 8 * 3 / 100  # three times, at half the price
    assert updates == [pytest.approx(1 / 8 + 0.01 + evaluated + cost.stored(own[0]))] * 8
    assert eta(own, [place]) == eta(own, [place, place]) == pytest.approx(100 * sum(updates))


def test_cells_for_the_processor_are_planned_by_its_rates_on_a_machine_with_a_gpu() -> None:
    fast, slow = (Rates(reference=Costs(update=one), stacked=Costs(update=1.0)) for one in (1.0, 2.0))
    place = Workplace("cuda:1", {"cpu": slow, "cuda": fast})
    for device, rates in (("cpu", slow), ("auto", fast)):
        (own,) = cells(engine="reference", device=device, batch_sizes=[4], seeds=1)
        assert place.plan([own])[2] == [cost.of_an_update(own, "reference", rates=rates) + cost.stored(own)]


def test_each_worker_counts_where_many_are_alike() -> None:
    rates = Rates(reference=Costs(update=0.5), stacked=Costs(update=1.0))
    own = cells(engine="reference")
    places = [Workplace(f"cuda:{i}", {"cuda": rates}, {"reference": 1.0 + i}) for i in range(3)]
    assert eta(own, [*places, Workplace(rates={"cpu": rates})]) == pytest.approx(work(own, rates) / (1 + 2 + 3 + 1))


def test_work_is_in_the_order_of_the_cells() -> None:
    own = cells(batch_sizes=[4, 16, "full"])
    assert Workplace().work(own[::-1]) == Workplace().work(own)[::-1]
    assert len(set(Workplace().work(own))) == 3


def test_an_engine_that_is_for_another_device_is_no_fault_here() -> None:
    (own,) = cells(engine="compiled", batch_sizes=[4], seeds=1)
    assert Workplace("cuda:0").plan([own])[:2] == ("compiled", 1)
