"""Statistics over seeds: means, comparisons of pairs, trends, correction for several, and how many seeds to take.

Needs no more of scipy than its special functions, and those only when something is computed.
"""

from batchlab.statistics.comparing import Comparison, compare, p_greater, p_less, tost
from batchlab.statistics.correction import holm
from batchlab.statistics.means import CONFIDENCE, Summary, interval, student_t, summary
from batchlab.statistics.power import equivalence_power, power, required_n, required_n_equal
from batchlab.statistics.saturation import Saturation, saturation
from batchlab.statistics.trends import rank_correlation, slope, two_way

__all__ = [
    "CONFIDENCE", "Comparison", "Saturation", "Summary", "compare", "equivalence_power", "holm", "interval",
    "p_greater", "p_less", "power", "rank_correlation", "required_n", "required_n_equal", "saturation", "slope",
    "student_t", "summary", "tost", "two_way",
]  # fmt: skip
