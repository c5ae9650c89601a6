"""What a test of a claim measures: which cells it takes, and which effect it makes of them."""

import math
from typing import Any

import numpy as np
import pytest
from batchlab.claims import (
    Analysed,
    At,
    AtStep,
    Best,
    Compare,
    Difference,
    Diverges,
    Evidence,
    Exceeds,
    Explains,
    RateExponent,
    Ratio,
    Reached,
    Result,
    Saturates,
    Test,
    Trend,
)
from batchlab.claims.optima import vertex
from batchlab.errors import SpecError
from batchlab.pairs import pairs
from batchlab.spec import parse_spec
from batchlab.statistics import power, required_n
from batchlab.studies import STUDIES
from batchlab.verdicts import claims_of, described
from claims_kit import row, sweep, verdict
from pydantic import TypeAdapter, ValidationError

LARGE, SMALL = At(batch_size="largest"), At(batch_size="smallest")
TESTS = [
    Compare(quantity="y", a=LARGE, b=SMALL, direction="greater"),
    Trend(quantity="y", direction="falls"),
    Exceeds(quantity=Difference(of="train_accuracy", minus="val_accuracy")),
    Diverges(at=At(lr="largest")),
    Best(quantity="y", high=8.5),
    RateExponent(quantity="y", low=0.75, high=1.25),
    Explains(quantity="y", more="lr", less="batch_size"),
    Saturates(),
]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.kind)
def test_a_test_survives_json_and_says_what_it_is(test: Any) -> None:
    adapter = TypeAdapter(Test)
    assert adapter.validate_json(adapter.dump_json(test)) == test
    assert all([test.words(), type(test).__doc__])
    with pytest.raises(ValidationError):
        test.kind = "other"


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.kind)
def test_without_cells_a_test_has_no_effect(test: Any) -> None:
    assert test.sample(Evidence([])).effects == {}


def test_a_comparison_pairs_by_seed() -> None:
    rows = sweep([2, 64], 3, lambda batch, seed: 10.0 * seed + batch)
    found = TESTS[0].sample(Evidence(rows))
    assert found.effects == {0: 62.0, 1: 62.0, 2: 62.0}
    assert found.cells == set(range(6))


def test_a_log_ratio_is_natural_and_needs_positive_numbers() -> None:
    test = Compare(quantity="y", a=LARGE, b=SMALL, direction="greater", scale="log_ratio")
    rows = sweep([2, 64], 2, lambda batch, seed: math.e**batch if seed else -1.0)
    found = test.sample(Evidence(rows))
    assert found.effects == {1: pytest.approx(62.0)}
    assert found.left_out == {"seeds for which the effect cannot be computed": 1}


def test_a_seed_without_a_partner_is_left_out_and_counted() -> None:
    rows = sweep([2, 64], 3, lambda batch, seed: 1.0)
    rows[4] |= {"status": "diverged", "result": {"y": None}}
    found = TESTS[0].sample(Evidence(rows))
    assert set(found.effects) == {0, 2}
    assert found.left_out == {"diverged": 1, "without a partner of the same seed": 1}


def test_points_are_chosen_by_what_is_given() -> None:
    rows = [
        row(0, {}, variant="a", batch_size=8, batch_entry="10%", lr=0.1, momentum=0.9, params={"beta2": 0.99}),
        row(1, {}, variant="a", batch_size=80, batch_entry="full", lr=0.2, momentum=0.9, params={"beta2": 0.9}),
        row(2, {}, variant="b", batch_size=4, batch_entry=4, lr=0.4, momentum=None),
    ]

    def chosen(**at: Any) -> list[int]:
        return [found["ordinal"] for found in At(**at).choose(rows)]

    assert chosen() == [0, 1, 2]
    assert chosen(variant="a", batch_size="smallest") == [0]
    assert (chosen(batch_size="10%"), chosen(batch_size="full"), chosen(batch_size=4)) == ([0], [1], [2])
    assert (chosen(lr="largest"), chosen(lr=0.1 + 1e-16), chosen(momentum=0.9)) == ([2], [0], [0, 1])
    assert (chosen(params={"beta2": 0.9}), chosen(variant="none")) == ([1], [])


def test_several_cells_of_a_seed_become_one_number() -> None:
    rows = [row(i, {"y": value}, lr=rate) for i, (rate, value) in enumerate([(0.1, 3.0), (0.2, 1.0), (0.4, 5.0)])]
    takes = [Exceeds(quantity="y", at=At(reduce=reduce)) for reduce in ("mean", "min", "max")]
    assert [test.sample(Evidence(rows)).effects[0] for test in takes] == [3.0, 1.0, 5.0]


def test_a_trend_is_the_exponent_the_change_for_a_doubling_or_the_rank_correlation() -> None:
    rows = sweep([1, 4, 16, 64], 1, lambda batch, seed: 3 * batch**-0.5)
    effects = {
        scale: Trend(quantity="y", direction="falls", scale=scale).sample(Evidence(rows)).effects[0]
        for scale in ("log_ratio", "rank", "difference")
    }
    assert effects == {
        "log_ratio": pytest.approx(-0.5),
        "rank": pytest.approx(-1.0),
        "difference": pytest.approx(-0.425, abs=0.01),
    }


def test_a_trend_looks_only_between_its_ends() -> None:
    rows = sweep([1, 2, 4, 8], 1, lambda batch, seed: batch if batch <= 4 else 0.5)
    rising = Trend(quantity="y", direction="rises", high=4)
    assert rising.sample(Evidence(rows)).effects == {0: pytest.approx(1.0)}
    assert Trend(quantity="y", direction="rises", low=8).sample(Evidence(rows)).effects == {}


@pytest.mark.parametrize(
    ("scale", "axis"), [("log_ratio", "momentum"), ("log_ratio", "decay"), ("difference", "decay")]
)
def test_a_trend_in_the_logarithm_of_0_has_no_effect_and_says_why(scale: Any, axis: str) -> None:
    places = [0.0, 0.5, 0.9]
    rows = [
        row(i, {"y": 2 - place + 0.01 * seed}, seed=seed, momentum=place, params={"decay": place})
        for i, (place, seed) in enumerate((place, seed) for place in places for seed in range(3))
    ]
    found = verdict(Trend(quantity="y", axis=axis, direction="falls", scale=scale), rows)
    assert (found.verdict, found.n) == ("inconclusive", 0)
    assert f"3 seeds with {axis} at 0 or below, which has no logarithm" in found.reason
    assert verdict(Trend(quantity="y", axis=axis, direction="falls", scale=scale, low=0.1), rows).n == 3
    assert verdict(Trend(quantity="y", axis=axis, direction="falls", scale="rank"), rows).effect == -1.0
    assert verdict(Trend(quantity="y", axis="momentum", direction="falls", scale="difference"), rows).n == 3


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_best_place_is_claimed_above_0_as_its_logarithm_is_taken(end: str) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Best.model_validate({"quantity": "y", end: 0.0})


def test_a_ratio_beyond_what_floats_hold_has_its_logarithm_all_the_same() -> None:
    rows = sweep([1, 2], 3, lambda batch, seed: 1e-300 if batch == 2 else 1e300)
    test = Compare(quantity="y", a=LARGE, b=SMALL, direction="less", scale="log_ratio")
    assert verdict(test, rows).effect == pytest.approx(-600 * math.log(10))


def test_cells_without_a_place_on_an_axis_do_not_count_for_what_it_explains() -> None:
    rows = grid(lambda b, lr, s: math.log2(lr) * (1 + 0.01 * s), [0.1, 0.2])
    rows = [one | {"momentum": None if i % 5 == 4 else 0.5 * (i % 2)} for i, one in enumerate(rows)]
    assert verdict(Explains(quantity="y", more="lr", less="momentum"), rows).verdict == "inconclusive"


def test_a_trend_takes_the_places_that_every_seed_has() -> None:
    rows = sweep([1, 2, 4], 2, lambda batch, seed: batch)
    rows[-1] |= {"status": "diverged", "result": {}}
    test = Trend(quantity="y", direction="rises", scale="rank")
    assert test.sample(Evidence(rows)).effects == {0: 1.0, 1: 1.0}
    assert test.sample(Evidence(rows)).left_out == {"diverged": 1}


def test_divergence_is_evidence_where_it_is_claimed() -> None:
    rows = [row(i, {}, seed=i, lr=9.0, status="diverged") for i in range(3)] + [row(3, {}, seed=0)]
    assert verdict(TESTS[3], rows).verdict == "supported"
    rows[0] |= {"status": "succeeded"}
    assert verdict(TESTS[3], rows).verdict == "inconclusive"
    for one in rows:
        one |= {"status": "succeeded"}
    assert verdict(TESTS[3], rows).verdict == "contradicted"


def test_quantities_are_read_from_results_analyses_and_curves() -> None:
    cell = row(0, {"a": 3.0, "b": 2.0, "c": None}) | {"analyses": {"sharpness": {"phi": 7.0}}}

    def curves(asked: Any, metric: str) -> Any:
        assert (asked, metric) == (cell, "val_loss")
        return np.array([0, 10, 20]), np.array([3.0, 2.0, 1.0])

    def value(quantity: Any) -> Any:
        return quantity.value(cell, curves)

    assert value(Result(key="a")) == 3.0
    assert (value(Difference(of="a", minus="b")), value(Ratio(of="a", over="b"))) == (1.0, 1.5)
    assert (value(Difference(of="a", minus="c")), value(Result(key="d")), value(Ratio(of="a", over="c"))) == (None,) * 3
    assert value(Analysed(analysis="sharpness", key="phi")) == 7.0
    assert value(Analysed(analysis="hessian", key="top")) is None
    assert [value(AtStep(metric="val_loss", step=step)) for step in (0, 15, 20, 21)] == [3.0, 2.0, 1.0, None]
    assert value(AtStep(metric="val_loss", examples=80)) == 2.0
    assert [value(Reached(metric="val_loss", at_most=bound)) for bound in (3.5, 2.0, 0.5)] == [0.0, 10.0, None]
    assert value(Reached(metric="val_loss", at_least=2.5)) == 0.0


def test_a_claim_about_time_refuses_shared_and_disturbed_cells() -> None:
    rows = sweep([1, 8], 3, lambda batch, seed: batch + 0.01 * seed, key="seconds_per_update")
    test = Compare(quantity="seconds_per_update", a=LARGE, b=SMALL, direction="greater")
    assert verdict(test, rows).verdict == "supported"
    for one in rows:
        one |= {"isolated": False}
    refused = verdict(test, rows)
    assert (refused.verdict, refused.n) == ("inconclusive", 0)
    assert "not its own" in refused.reason
    rows = [one | {"isolated": True, "shared_with": 3} for one in rows]
    assert verdict(test, rows).n == 0
    assert (
        verdict(
            Compare(
                quantity=Ratio(of="seconds_per_update", over="seconds_per_epoch"), a=LARGE, b=SMALL, direction="less"
            ),
            rows,
        ).n
        == 0
    )


def test_rows_learn_from_their_spec_how_the_batch_was_written_and_whether_they_were_alone() -> None:
    spec = parse_spec(
        {
            "dataset": {"kind": "sectors"},
            "model": {"kind": "softmax"},
            "batch_sizes": [4, "10%", "full"],
            "lr": {"rule": "fixed", "base": 0.1},
            "budget": {"epochs": 1},
            "variants": [{"name": "alone", "isolated": True}, {"name": "among others"}],
        }
    )
    rows = [row(0, {}, variant="alone", batch_size=80), row(1, {}, variant="among others", batch_size=800)]
    found = [(one["batch_entry"], one["isolated"]) for one in described(spec, rows)]
    assert found == [("10%", True), ("full", False)]


def grid(value: Any, rates: Any, seeds: int = 3) -> list[Any]:
    points = [(b, lr, s) for b in (4, 8, 16, 32) for lr in rates for s in range(seeds)]
    return [row(i, {"y": value(b, lr, s)}, batch_size=b, lr=lr, seed=s) for i, (b, lr, s) in enumerate(points)]


def bowl(b: int, lr: float, seed: int) -> float:
    """Best at the rate 0.01 b (1 + seed / 100), a linear rule."""
    return (math.log(lr) - math.log(0.01 * b * (1 + seed / 100))) ** 2


def test_the_vertex_of_a_parabola_is_found_between_the_rates() -> None:
    line = {rate: (math.log(rate) - math.log(0.3)) ** 2 for rate in (0.1, 0.2, 0.4, 0.8)}
    assert vertex(line, "min") == pytest.approx(0.3)
    assert vertex({rate: -value for rate, value in line.items()}, "max") == pytest.approx(0.3)
    assert vertex({0.1: 1.0, 0.2: 2.0, 0.4: 3.0}, "min") is None


def test_the_exponent_of_the_best_rate_is_that_of_the_rule() -> None:
    rows = grid(bowl, [2.0**-k for k in range(9)])
    found = verdict(TESTS[5], rows)
    assert (found.verdict, found.effect) == ("supported", pytest.approx(1.0))
    assert verdict(RateExponent(quantity="y", low=0.25, high=0.75), rows).verdict == "contradicted"


def test_the_axis_that_matters_explains_more() -> None:
    rows = grid(lambda b, lr, s: math.log2(lr) + 0.1 * math.log2(b) * (1 + 0.01 * s), [0.1, 0.2, 0.4, 0.8])
    assert verdict(TESTS[6], rows).verdict == "supported"
    assert verdict(Explains(quantity="y", more="batch_size", less="lr"), rows).verdict == "contradicted"


def test_the_best_place_lies_where_it_is_claimed_or_not() -> None:
    rows = sweep([1, 2, 4, 8, 16], 3, lambda batch, seed: abs(batch - 4) + 0.1 * seed)
    assert verdict(TESTS[4], rows).effect == 2.0
    assert [verdict(Best(quantity="y", low=low), rows).verdict for low in (3.0, 5.0)] == ["supported", "contradicted"]


def test_a_time_saturates_at_the_knee_of_its_fit() -> None:
    def seconds(batch: int, seed: int) -> float:
        return max(0.001, batch / 50_000) * (1 + 0.01 * seed)

    rows = sweep([1, 10, 100, 1000], 3, seconds, key="seconds_per_update")
    found = verdict(Saturates(), rows)
    assert (found.verdict, found.effect) == ("supported", pytest.approx(math.log(50), rel=1e-6))
    assert verdict(Saturates(factor=100), rows).verdict == "contradicted"
    flat = sweep([1, 10, 100, 1000], 3, lambda batch, seed: 0.001, key="seconds_per_update")
    assert verdict(Saturates(), flat).effect == pytest.approx(math.log(1000))


def test_claims_of_a_spec_survive_storing_and_their_faults_are_told_with_their_paths() -> None:
    trend = {"kind": "trend", "quantity": "y", "direction": "falls"}
    claim: dict[str, Any] = {"id": "it-falls", "text": "It falls.", "test": trend}
    document: dict[str, Any] = {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [4],
        "lr": {"rule": "fixed", "base": 0.1},
        "budget": {"epochs": 1},
        "variants": [{"name": "a"}, {"name": "b", "momentum": 0.9}],
        "claims": [claim],
    }
    spec = parse_spec(document)
    assert parse_spec(spec.model_dump(mode="json")) == spec
    assert claims_of(spec)[0].test.quantity == Result(key="y")
    compare = {"kind": "compare", "quantity": "y", "a": {"variant": "c"}, "b": {"variant": "a"}, "direction": "less"}
    with pytest.raises(SpecError) as told:
        parse_spec(document | {"claims": [claim, claim | {"test": compare}]})
    assert [fault.loc for fault in told.value.faults] == [
        ("claims", 0, "id"), ("claims", 1, "id"), ("claims", 1, "test", "a", "variant"),
    ]  # fmt: skip
    taken = STUDIES["small-vs-large-table"].claims[0].id
    with pytest.raises(SpecError, match=f"claims.0.id: '{taken}' is a claim of this study: choose another"):
        parse_spec(document | {"study": "small-vs-large-table", "claims": [claim | {"id": taken}]})
    with pytest.raises(SpecError, match=r"claims.0.test.axes: unknown key: remove it \(did you mean axis"):
        parse_spec(document | {"claims": [claim | {"test": trend | {"axes": "lr"}}]})


def test_pairs_of_neighbouring_points_say_how_many_seeds_show_a_difference() -> None:
    noise = [[0.1, -0.2, 0.3, 0.0], [0.0, 0.4, -0.1, 0.2]]
    rows = sweep([4, 8], 4, lambda batch, seed: noise[batch // 8][seed])
    (found,) = pairs(rows, "y", 0.2)
    sd = float(np.std(np.subtract(noise[1], noise[0]), ddof=1))
    assert (found.a["batch_size"], found.b["batch_size"], found.n) == (4, 8, 4)
    assert (found.sd, found.seeds) == (pytest.approx(sd), required_n(0.2 / sd))
    assert found.power == pytest.approx(power(0.2 / sd, 4))
    assert [(pair.n, pair.seeds) for pair in pairs(rows, "none", 0.2)] == [(0, None)]
