"""Which rate goes with which batch size."""

from typing import Any

import pytest
from batchlab.lr_rules import LrRule
from pydantic import TypeAdapter


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
