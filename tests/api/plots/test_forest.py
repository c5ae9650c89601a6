"""The plot of verdicts: numbers of each claim, and strips that show them."""

from typing import Any

import pytest
from batchlab.verdicts import Verdict
from batchlab_api.plots.catalogue import PLOTS
from batchlab_api.plots.forest import measure, said, sentence, table
from batchlab_api.plots.options import Options

PLOT = PLOTS["verdicts"]


def verdict(word: Any = "supported", **fields: Any) -> Verdict:
    numbers: dict[str, Any] = {
        "measured": "exponent", "effect": 1.0, "claimed": (0.5, None), "ci95": (0.8, 1.2), "ci_holm": (0.7, 1.3),
        "n": 5, "p": 0.0001, "p_holm": 0.0002, "smallest_effect": 0.5,
    }  # fmt: skip
    return Verdict("c", "It rises.", "here", word, "Because.", "test", **{**numbers, **fields})


def test_a_strip_shows_effect_intervals_and_what_is_claimed(source: Any) -> None:
    experiment = source()
    experiment.verdicts = [verdict(), verdict("inconclusive", measured="", effect=None)]
    numbers = measure(experiment, "Claims")
    (strip,) = numbers.strips
    assert (strip.effect, strip.low, strip.high, strip.wide_low, strip.wide_high) == (1.0, 0.8, 1.2, 0.7, 1.3)
    assert (strip.claimed_low, strip.claimed_high) == (0.5, None)
    assert said(strip) == "supported, p < 0.001, n = 5"
    assert sentence(numbers) == "Claims: 1 supported."
    assert table(numbers)[0]["ci95_high"] == 1.2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_verdict_is_drawn_also_without_numbers(source: Any, theme: Any) -> None:
    experiment = source()
    nothing = {"effect": None, "ci95": None, "ci_holm": None, "n": 0, "p": None, "p_holm": None}
    closed = verdict("contradicted", claimed=(-0.2, 0.2))
    experiment.verdicts = [verdict(), closed, verdict("inconclusive", **nothing)]
    drawn = PLOT.chart(PLOT.numbers(experiment), Options(theme=theme)).to_dict()
    assert [len(strip["layer"]) for strip in drawn["vconcat"]] == [5, 5, 2]
    assert drawn["description"] == "What the data say of the claims: 1 supported, 1 contradicted, 1 inconclusive."


def test_an_experiment_without_a_tested_claim_has_no_such_plot() -> None:
    claim = {"id": "a", "text": "A.", "source": "", "test": {"kind": "exceeds"}}
    assert not PLOT.applies({"spec": {"study": None, "claims": []}})
    assert not PLOT.applies({"spec": {"claims": [claim | {"test": None}]}})
    assert PLOT.applies({"spec": {"claims": [claim]}})
    assert PLOT.applies({"spec": {"study": "grad-norm-vs-batch"}})
