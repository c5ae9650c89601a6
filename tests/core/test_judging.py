"""Verdicts: when a claim is supported, contradicted or neither, and that chance alone seldom decides."""

import math

import numpy as np
import pytest
from batchlab.claims import At, Claim, Compare, Evidence, Trend, judge
from batchlab.statistics import required_n
from claims_kit import Row, row, sweep, verdict
from scipy import stats

LARGE, SMALL = At(batch_size="largest"), At(batch_size="smallest")


def compare(direction: str = "greater", smallest: float = 0.0) -> Compare:
    return Compare.model_validate(
        {"quantity": "y", "a": LARGE, "b": SMALL, "direction": direction, "smallest": smallest}
    )


def pairs(effects: list[float]) -> list[Row]:
    """Cells whose largest batch is above the smallest by these effects, seed by seed."""
    return sweep([1, 64], len(effects), lambda batch, seed: 5.0 + (effects[seed] if batch == 64 else 0.0))


def test_a_true_claim_is_supported_and_a_false_one_contradicted() -> None:
    rows = pairs([1.0, 1.1, 0.9, 1.05])
    assert verdict(compare(smallest=0.5), rows).verdict == "supported"
    assert verdict(compare("less", 0.5), rows).verdict == "contradicted"
    assert verdict(compare("equal", 0.5), rows).verdict == "contradicted"
    assert verdict(compare("equal", 1.5), rows).verdict == "supported"


def test_an_effect_too_small_to_matter_decides_nothing() -> None:
    rows = pairs([0.2, 0.21, 0.19, 0.2])
    assert verdict(compare(smallest=0.5), rows).verdict == "inconclusive"
    assert verdict(compare("less", 0.5), rows).verdict == "inconclusive"
    assert verdict(compare(smallest=0.1), rows).verdict == "supported"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_seeds_are_inconclusive_and_say_so(n: int) -> None:
    found = verdict(compare(), pairs([1.0, 1.01][:n]))
    assert (found.verdict, found.n, found.p) == ("inconclusive", n, None)
    assert ("fewer than 3" if n else "No cell") in found.reason


def test_a_verdict_shows_its_evidence() -> None:
    effects = [1.0, 1.1, 0.9, 1.05]
    found = verdict(compare(smallest=0.5), pairs(effects))
    expected = stats.ttest_1samp(effects, 0.5, alternative="greater")
    assert found.effect == pytest.approx(np.mean(effects))
    assert found.p == found.p_holm == pytest.approx(2 * expected.pvalue)
    assert found.ci95 == found.ci_holm == pytest.approx(stats.t.interval(0.95, 3, np.mean(effects), stats.sem(effects)))
    assert (found.n, found.cells, found.smallest_effect, found.claimed) == (4, tuple(range(8)), 0.5, (0.5, None))
    assert found.hedges_g == pytest.approx(np.mean(effects) / np.std(effects, ddof=1) * (1 - 3 / 11))
    assert found.test == "mean over seeds of the y at largest batch minus smallest batch, above 0.5; Student's t"


def test_an_inconclusive_verdict_says_how_many_seeds_would_do() -> None:
    effects = [0.9, -0.3, 0.4]
    found = verdict(compare(smallest=0.5), pairs(effects))
    assert found.verdict == "inconclusive"
    assert found.seeds_needed == required_n(0.5 / float(np.std(effects, ddof=1)))
    assert f"{found.seeds_needed} seeds would show" in found.reason


def test_an_effect_on_a_side_needs_as_many_seeds_as_decide_it_there() -> None:
    effects = [9.0, -1.0, 4.0]
    found = verdict(compare(smallest=0.5), pairs(effects))
    assert found.seeds_needed == required_n(3.5 / float(np.std(effects, ddof=1)))
    assert f"{found.seeds_needed} seeds would show an effect like this" in found.reason
    assert verdict(compare("less", smallest=0.5), pairs(effects)).seeds_needed == found.seeds_needed


def test_the_interval_at_holms_confidence_decides_just_as_the_adjusted_p_does() -> None:
    """Ten claims: supported exactly while the intervals of all that are as strong or stronger exclude 0."""
    claims = [
        Claim(str(k), "Text.", "here", Compare(quantity=f"y{k}", a=LARGE, b=SMALL, direction="greater"))
        for k in range(10)
    ]
    noise = np.random.default_rng(2).normal(0, 1, (5, 10))
    rows = [
        row(
            i,
            {f"y{k}": (3.0 - 0.3 * k + noise[seed, k] if batch == 8 else 0.0) for k in range(10)},
            batch_size=batch,
            seed=seed,
        )
        for i, (batch, seed) in enumerate((batch, seed) for batch in (1, 8) for seed in range(5))
    ]
    found = sorted(judge(claims, Evidence(rows)), key=lambda one: one.p or 0)
    excluded = [one.ci_holm is not None and one.ci_holm[0] > 0 for one in found]
    decided = [all(excluded[: i + 1]) for i in range(10)]
    assert [one.verdict == "supported" for one in found] == decided
    assert 0 < sum(decided) < 10
    assert all("Holm over 10 claims" in one.test for one in found)


def test_claims_without_enough_seeds_or_a_test_do_not_count_for_the_correction() -> None:
    claims = [
        Claim("a", "A.", "here", compare()),
        Claim("b", "B.", "here"),
        Claim("c", "C.", "here", Compare(quantity="none", a=LARGE, b=SMALL, direction="less")),
    ]
    a, b, c = judge(claims, Evidence(pairs([1.0, 1.1, 0.9])))
    assert (a.verdict, b.verdict, c.verdict) == ("supported", "inconclusive", "inconclusive")
    assert a.p == a.p_holm
    assert "how this is to be tested" in b.reason
    assert c.left_out == {"without none": 6}


def test_two_claims_of_one_id_each_keep_their_verdict() -> None:
    claims = [
        Claim("a", "More.", "study", compare()),
        Claim("a", "Less.", "user", compare("less")),
        Claim("a", "None."),
    ]
    found = judge(claims, Evidence(pairs([1.0, 1.1, 0.9])))
    assert [one.verdict for one in found] == ["supported", "contradicted", "inconclusive"]
    assert [one.text for one in found] == ["More.", "Less.", "None."]


def test_equal_effects_in_all_seeds_decide_without_a_warning() -> None:
    assert verdict(compare(), pairs([1.0, 1.0, 1.0])).verdict == "supported"
    none = verdict(compare(), pairs([0.0, 0.0, 0.0]))
    assert (none.verdict, none.seeds_needed, none.hedges_g) == ("inconclusive", None, 0.0)


@pytest.mark.parametrize("true_effect", [0.5, -0.5, 0.0])
def test_chance_decides_at_most_one_time_in_twenty(true_effect: float) -> None:
    """At the edge of what matters each decision has its greatest chance: 2.5 %. 600 runs."""
    rng, runs = np.random.default_rng(3), 600
    test = compare(smallest=abs(true_effect))
    wrong = 0
    for effects in rng.normal(true_effect, 1.0, (runs, 4)):
        wrong += verdict(test, pairs(effects.tolist())).verdict != "inconclusive"
    assert wrong / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_holm_keeps_the_chance_of_any_false_verdict_among_five_claims() -> None:
    rng, runs = np.random.default_rng(4), 250
    claims = [
        Claim(f"c{k}", "Text.", "here", Trend(quantity=f"y{k}", direction="falls", scale="difference"))
        for k in range(5)
    ]
    false = 0
    for noise in rng.normal(0, 1, (runs, 2, 4, 5)):
        rows = [
            row(i, {f"y{k}": noise[batch, seed, k] for k in range(5)}, batch_size=2**batch, seed=seed)
            for i, (batch, seed) in enumerate((batch, seed) for batch in range(2) for seed in range(4))
        ]
        false += any(one.verdict != "inconclusive" for one in judge(claims, Evidence(rows)))
    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
