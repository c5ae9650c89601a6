"""The maps of rates and batch sizes: tiles, best rates, and what the subtitle says of both."""

import math
from typing import Any

import pytest
from batchlab_api.plots.catalogue import PLOTS
from batchlab_api.plots.heat import edges
from batchlab_api.plots.options import Options

PLOT = PLOTS["lr-batch-heat-map"]
SIZES, RATES = (4, 8, 16), tuple(0.01 * 2**k for k in range(6))


def bowl(batch: int, lr: float) -> float:
    """Best at the rate 0.01 b: a linear rule."""
    return 0.1 + (math.log(lr) - math.log(0.01 * batch)) ** 2


@pytest.fixture
def grid(source: Any, cell: Any) -> Any:
    def made(**fields: Any) -> Any:
        every = [(b, lr, s) for b in SIZES for lr in RATES for s in range(3)]
        cells = [cell(b, s, lr, result={"best_val_loss": bowl(b, lr)}, **fields) for b, lr, s in every]
        return source(cells, batch_sizes=list(SIZES), lr={"rule": "fixed", "base": list(RATES)})

    return made


def test_the_best_rate_of_each_batch_lies_between_those_of_the_grid(grid: Any) -> None:
    numbers = PLOT.numbers(grid())
    assert {o.batch_size: o.lr for o in numbers.optima} == pytest.approx({b: 0.01 * b for b in SIZES})
    assert (len(numbers.tiles), numbers.label) == (18, "Loss (nats)")
    told = " ".join(numbers.lines)
    assert "The best rate grows as the batch to the power 1.00 (95\u00a0% 1.00 to 1.00)" in told
    assert "of the variance the rate explains" in told
    assert "best rates: 0.04 at batch 4" in PLOT.summary(numbers)
    assert {row["n"] for row in PLOT.rows(numbers)} == {3}


@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_tiles_without_a_value_are_crossed_out(grid: Any, width: Any) -> None:
    experiment = grid()
    lost = [cell for cell in experiment.cells if cell["lr"] == RATES[-1]]
    for cell in lost:
        cell |= {"status": "diverged", "result": None}
    numbers = PLOT.numbers(type(experiment)(experiment.cells, []))
    assert sum(tile.mean is None for tile in numbers.tiles) == 3
    drawn = PLOT.chart(numbers, Options(width=width, theme="dark")).to_dict()
    rows = next(iter(drawn["datasets"].values())) if drawn.get("datasets") else drawn["data"]["values"]
    assert sum(row.get("lost") is True for row in rows) == 3


def test_a_map_needs_several_rates_and_several_batch_sizes(grid: Any, source: Any) -> None:
    assert PLOT.applies(grid().experiment)
    assert not PLOT.applies(source().experiment)


def test_what_else_varies_makes_panels(grid: Any, cell: Any, source: Any) -> None:
    cells = [*grid(momentum=0.0).cells, *grid(momentum=0.9).cells]
    numbers = PLOT.numbers(source(cells))
    assert numbers.panels == ("momentum 0", "momentum 0.9")
    assert len(numbers.optima) == 6


def test_panels_of_variants_do_not_say_what_these_fix_and_long_names_are_in_lines(cell: Any, source: Any) -> None:
    arms = {"plain": 0.0, "with a heavy ball": 0.9, **{f"as before, but {i}": 0.9 for i in range(4)}}
    cells = [
        cell(b, 0, lr, variant=name, momentum=m, result={"best_val_loss": bowl(b, lr)})
        for name, m in arms.items() for b in SIZES for lr in RATES
    ]  # fmt: skip
    numbers = PLOT.numbers(source(cells, batch_sizes=list(SIZES), lr={"rule": "fixed", "base": list(RATES)}))
    assert numbers.panels == tuple(arms)
    drawn = PLOT.chart(numbers, Options()).to_dict()
    assert '["with a heavy", "ball"]' in drawn["facet"]["column"]["header"]["labelExpr"]


def test_of_nothing_the_map_says_so(source: Any, cell: Any) -> None:
    numbers = PLOT.numbers(source([cell(status="running")]))
    assert "Nothing to show" in str(PLOT.chart(numbers, Options()).to_dict())


def test_tiles_meet_half_way_between_their_places() -> None:
    assert edges([1.0, 4.0]) == {1.0: pytest.approx((0.5, 2.0)), 4.0: pytest.approx((2.0, 8.0))}
