"""The plots, by name. A name is part of an address and of papers that cite it: it never changes."""

from typing import Any

from batchlab_api.plots import courses, equal, rates, results, walking
from batchlab_api.plots import courses, equal, measures, profiles, results, walking
from batchlab_api.plots.landscape import LandscapePlot
from batchlab_api.plots.planned import PlannedRates
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row
from batchlab_api.plots.time_trends import TimeTrendsPlot

_ALL: tuple[Plot[Any], ...] = (
    *results.PLOTS,
    TimeTrendsPlot(),
    *equal.PLOTS,
    *courses.PLOTS,
    *rates.PLOTS,
    *walking.PLOTS,
    *measures.PLOTS,
    *profiles.PLOTS,
    LandscapePlot(),
)
PLOTS: dict[str, Plot[Any]] = {plot.name: plot for plot in _ALL}


def available(experiment: Row) -> list[Plot[Any]]:
    """The plots that an experiment with this spec and these metrics can have."""
    return [plot for plot in PLOTS.values() if plot.applies(experiment)]
