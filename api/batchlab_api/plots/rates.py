"""The plots of learning rates and growing batches, joined."""

from typing import Any

from batchlab_api.plots.apart import WeightsApart
from batchlab_api.plots.first_rates import FirstRates
from batchlab_api.plots.matched import MatchedRates
from batchlab_api.plots.noise import PlannedNoise
from batchlab_api.plots.planned import PlannedRates
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.range_test import RangeTestPlot
from batchlab_api.plots.shapes import RateCurves

PLOTS: tuple[Plot[Any], ...] = (
    PlannedRates(),
    RateCurves(),
    PlannedNoise(),
    RangeTestPlot(),
    FirstRates(),
    MatchedRates(),
    WeightsApart(),
)
