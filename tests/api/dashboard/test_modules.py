"""The dashboard's pure modules, called in the browser one function at a time."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from batchlab_lab.embedded import Embedded
from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def page(plain: BrowserContext, lab: Embedded) -> Iterator[Page]:
    with plain.new_page() as page:
        page.goto(f"{lab.url}/#/nowhere")
        yield page


@pytest.fixture
def call(page: Page) -> Call:
    """`call("base/format", "number", 0.5)`: what a module's function answers."""
    script = """async ([module, name, values]) => {
      const exports = await import(`/static/${module}.js`);
      return exports[name](...values);
    }"""
    return lambda module, name, *values: page.evaluate(script, [module, name, list(values)])


def test_addresses_survive_a_round_trip_with_their_keys_in_order(call: Call) -> None:
    text = "#/experiments/a%20b/curves?_y=log&metrics=grad_norm/weight,loss&x=epoch"
    url = call("base/address", "parse", text)
    assert url == {
        "path": ["experiments", "a b", "curves"],
        "query": {"_y": "log", "metrics": "grad_norm/weight,loss", "x": "epoch"},
    }
    assert call("base/address", "serialise", {**url, "query": dict(reversed(url["query"].items()))}) == text
    assert call("base/address", "sent", url["query"]) == {"metrics": "grad_norm/weight,loss", "x": "epoch"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.1 + 0.2, "0.3"), (-1.5, "−1.5"), (1234567, "1.235e6"), (0.0000123, "1.23e−5"), (None, "–")],
)
def test_numbers_have_four_digits_and_a_true_minus(call: Call, value: float | None, text: str) -> None:
    assert call("base/format", "number", value) == text


def test_estimates_are_rounded_where_their_interval_begins(call: Call) -> None:
    assert call("base/format", "estimate", {"mean": 0.25134, "ci95": [0.2482, 0.2544]}) == "0.2513 ± 0.0031"
    assert call("base/format", "estimate", {"mean": 12.0, "ci95": [-8.0, 32.0]}) == "12 ± 20"
    assert call("base/format", "estimate", {"mean": 0.5, "ci95": None}) == "0.5000"
    assert call("base/format", "estimatedTime", {"mean": 8.3e-5, "ci95": [8.2e-5, 8.4e-5]}) == "83.0 ± 1.0 µs"


def test_durations_have_two_units(call: Call) -> None:
    assert [call("base/format", "duration", s) for s in (0.2, 41, 125, 7500, 90000, None)] == [
        "< 1 s", "41 s", "2 min 5 s", "2 h 5 min", "1 d 1 h", "–",
    ]  # fmt: skip


def test_times_past_have_one_unit(call: Call) -> None:
    at = "2026-01-01T00:00:00Z"
    midnight = 1767225600000
    said = [call("base/format", "ago", at, midnight + 1000 * s) for s in (-5, 1, 59, 3700, 200_000)]
    assert said == ["just now", "just now", "59 s ago", "1 h ago", "2 d ago"]


SPEC = '{\n  "lr": {"rule": "fixd"},\n  "batch_sizes": [4, 4],\n  "a/b": {"c": 1}\n}'


@pytest.mark.parametrize(
    ("pointer", "msg", "marked"),
    [
        ("/lr/rule", "no such one", '"fixd"'),
        ("/batch_sizes", "too few", "[4, 4]"),
        ("/a~1b", "unknown key: remove it", '"a/b"'),
        ("/lr/base", "required: add it", '"lr"'),
        ("/dataset", "required: add it", "{"),
    ],
)
def test_a_fault_is_placed_at_its_value_its_key_or_what_lacks_it(
    call: Call, pointer: str, msg: str, marked: str
) -> None:
    place = call("parts/json-places", "placeOf", SPEC, {"pointer": pointer, "msg": msg})
    assert SPEC[place["from"] : place["to"]] == marked


def test_text_is_read_as_far_as_it_makes_sense(call: Call) -> None:
    place = call("parts/json-places", "placeOf", '{"a": {"b": [1, ', {"pointer": "/a/b/0", "msg": ""})
    assert (place["from"], place["to"]) == (13, 14)
    assert call("parts/json-places", "syntaxFault", "{}") is None


def test_specs_are_written_as_people_write_them(call: Call) -> None:
    spec = {"lr": {"base": [1, 2], "rule": "list"}, "loss": None, "name": "x", "zeta": 1, "dataset": {"kind": "iris"}}
    tidy = call("parts/json-text", "tidy", spec)
    text = (
        '{\n  "name": "x",\n  "dataset": {"kind": "iris"},\n  "lr": {"rule": "list", "base": [1, 2]},\n  "zeta": 1\n}'
    )
    assert call("parts/json-text", "compact", tidy) == text


def cell(batch_size: int, lr: float, seed: int, **more: Any) -> dict[str, Any]:
    point: dict[str, Any] = {"variant": None, "momentum": 0, "params": {}, "id": f"{batch_size}-{lr}-{seed}"}
    return {**point, "batch_size": batch_size, "lr": lr, "seed": seed, **more}


def test_an_axis_that_follows_from_others_is_not_named(call: Call) -> None:
    linear = [cell(b, 0.01 * b, s) for b in (8, 16) for s in (0, 1)]
    assert [a["axis"] for a in call("parts/axes", "differing", linear)] == ["batch_size", "seed"]
    grid = [cell(b, lr, 0, params={"beta1": x}) for b in (8, 16) for lr in (0.1, 1) for x in (0.8, 0.9)]
    assert [a["axis"] for a in call("parts/axes", "differing", grid)] == ["batch_size", "lr", "beta1"]


def test_many_lines_are_drawn_in_part_and_the_part_is_evenly_spaced(call: Call) -> None:
    cells = [cell(b, 0.1, 0) for b in range(1, 101)]
    chosen = {"group": "cell", "batchSizes": [], "chosen": []}
    picked = call("curves/options", "drawn", cells, chosen)
    sizes = [c["batch_size"] for c in picked["cells"]]
    assert (picked["lines"], picked["all"], sizes[0], sizes[-1], len(sizes)) == (40, 100, 1, 100, 40)
    assert {later - earlier for earlier, later in pairwise(sizes)} <= {2, 3}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", [0, 1, 2, 3]),
        ("batch_size>=16", [2, 3]),
        ("val_loss<1 variant=b", [1]),
        ("variant!=a batch_size=16", [3]),
        ("variant~A", [0, 2]),
    ],
)
def test_conditions_choose_rows(page: Page, text: str, kept: list[int]) -> None:
    rows = [{"by": {"batch_size": b, "variant": v}, "val_loss": {"mean": b / 10}} for b in (8, 16) for v in ("a", "b")]
    script = """async ([text, rows]) => {
      const { matcher } = await import("/static/pages/filter.js");
      return rows.flatMap((row, i) => (matcher(text).keep(row) ? [i] : []));
    }"""
    assert page.evaluate(script, [text, rows]) == kept


def test_what_is_no_condition_is_said(call: Call) -> None:
    assert call("pages/filter", "matcher", "batch_size>=16 oops")["fault"].startswith("“oops”")


def test_a_click_isolates_and_a_second_one_shows_all_again(call: Call) -> None:
    assert call("curves/legend", "toggled", "a", [], False) == ["a"]
    assert call("curves/legend", "toggled", "a", ["a"], False) == []
    assert call("curves/legend", "toggled", "a", ["a", "b"], False) == ["a"]
    assert call("curves/legend", "toggled", "b", ["a"], True) == ["a", "b"]
    assert call("curves/legend", "toggled", "a", ["a", "b"], True) == ["b"]
