"""Which rate goes with which batch size."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab.cell import Cell
from batchlab.errors import SpecError
from batchlab.lr_rules import LrRule
from pydantic import TypeAdapter

Cells = Callable[..., tuple[Cell, ...]]


def rates(rule: dict[str, Any], entry: int | str = 64, rows: int = 64) -> Any:
    return TypeAdapter(LrRule).validate_python(rule).rates(entry, rows)


def test_a_fixed_rate_ignores_the_batch() -> None:
    assert rates({"rule": "fixed", "base": 0.1}) == (0.1,)


@pytest.mark.parametrize(
    ("rule", "factor"),
    [({"rule": "linear"}, 16.0), ({"rule": "sqrt"}, 4.0), ({"rule": "power", "exponent": 0.75}, 8.0)],
)
def test_a_rule_scales_with_a_power_of_the_batch(rule: dict[str, Any], factor: float) -> None:
    assert rates(rule | {"base": 0.5, "base_batch": 4}) == (0.5 * factor,)


def test_a_list_of_base_rates_is_an_axis() -> None:
    assert rates({"rule": "linear", "base": (0.1, 0.2), "base_batch": 32}) == (0.2, 0.4)
    assert rates({"rule": "list", "values": (0.3, 0.1)}) == (0.3, 0.1)


def test_the_linear_rule_of_goyal_is_a_tenth_for_256_rows() -> None:
    assert rates({"rule": "linear", "base": 0.1, "base_batch": 256}, 8192, 8192) == pytest.approx((3.2,))


def test_a_table_is_read_by_the_entry_as_written_then_by_its_rows() -> None:
    table = {"rule": "table", "values": {"10%": 1.0, "full": 2.0, "4": 0.5, "80": 9.0}}
    assert rates(table, "10%", 80) == (1.0,)
    assert rates(table, "full", 800) == (2.0,)
    assert rates(table, 4, 4) == (0.5,)
    assert rates({"rule": "table", "values": {"80": 9.0}}, "10%", 80) == (9.0,)


def test_a_saturating_rate_is_linear_for_small_batches_and_stops_at_its_maximum() -> None:
    rule = {"rule": "saturating", "max": 2.0, "noise_scale": 1000.0}
    assert rates(rule, 1000, 1000) == (1.0,)
    assert rates(rule, 10, 10)[0] / rates(rule, 1, 1)[0] == pytest.approx(10, rel=0.01)
    assert rates(rule, 10**9, 10**9) == pytest.approx((2.0,))
    assert rates(rule | {"max": (2.0, 4.0)}, 1000, 1000) == (1.0, 2.0)


def test_equal_noise_holds_the_rate_over_batch_and_what_momentum_leaves(cells: Cells) -> None:
    rule = {"rule": "iso_noise", "base": 0.1, "base_batch": 20, "base_momentum": 0.5}
    found = cells(batch_sizes=[20, 80], momentum=[0.0, 0.5, 0.9], lr=rule)
    noise = [
        cell.lr * cell.rows / (cell.batch_size * (1 - cell.momentum)) for cell in found if cell.momentum is not None
    ]
    assert noise == pytest.approx([0.1 * 800 / (20 * 0.5)] * 6)


def test_an_equal_effective_rate_ignores_the_batch(cells: Cells) -> None:
    rule = {"rule": "iso_effective", "base": [0.1, 0.2]}
    found = cells(batch_sizes=[20, 80], momentum=[0.0, 0.9], lr=rule)
    effective = [cell.lr / (1 - (cell.momentum or 0.0)) for cell in found]
    assert effective == pytest.approx([0.1, 0.1, 0.2, 0.2] * 2)


def test_the_rule_of_adam_changes_its_numbers_with_the_batch(cells: Cells) -> None:
    rule = {"rule": "adam_sde", "base": 0.001, "base_batch": 25}
    small, large = cells(batch_sizes=[25, 100], lr=rule, optimizer={"kind": "adam"})
    assert (small.lr, small.params) == (0.001, pytest.approx({"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}))
    assert large.lr == pytest.approx(0.002)
    assert large.params == pytest.approx({"beta1": 0.6, "beta2": 0.996, "eps": 5e-9})
    assert {name: large.optimizer.numbers()[name] for name in large.params} == large.params


def test_the_rule_of_adam_stops_where_a_beta_would_fall_below_zero(cells: Cells) -> None:
    rule = {"rule": "adam_sde", "base": 0.001, "base_batch": 25}
    with pytest.raises(SpecError, match=r"lr: gives beta1 = -1\.4 at 600 rows: stay below 250 rows"):
        cells(batch_sizes=[25, 600], lr=rule, optimizer={"kind": "adam"})
    with pytest.raises(SpecError, match=r"lr\.rule: needs an optimizer with beta1 and beta2 and eps"):
        cells(lr=rule)
