"""Claims: sentences of the sources as data, each with a test that measured cells can pass or fail.

    Claim(id, text, source, test)        what is said, and how it is tested; the test is a member of `tests.Test`
    judge(claims, evidence)              their verdicts: supported, contradicted or inconclusive

A verdict is computed, never assumed. What counts as an effect is fixed in the test, before anything is measured.
"""

from batchlab.claims.claim import Claim
from batchlab.claims.evidence import At, Evidence
from batchlab.claims.judging import Verdict, judge
from batchlab.claims.optima import Best, Explains, RateExponent
from batchlab.claims.quantities import Analysed, AtStep, Axis, Difference, Ratio, Reached, Result, Total, ToTarget
from batchlab.claims.saturating import Saturates
from batchlab.claims.tests import Compare, Diverges, Exceeds, Test, Trend

__all__ = [
    "Analysed", "At", "AtStep", "Axis", "Best", "Claim", "Compare", "Difference", "Diverges", "Evidence", "Exceeds",
    "Explains", "RateExponent", "Ratio", "Reached", "Result", "Saturates", "Test", "ToTarget", "Total", "Trend",
    "Verdict", "judge",
]  # fmt: skip
