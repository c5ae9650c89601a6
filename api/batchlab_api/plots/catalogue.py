"""The plots, by name. A name is part of an address and of papers that cite it: it never changes."""

from typing import Any

from batchlab_api.plots import courses, disorder, equal, grid, landscape, measures, profiles, rates, results, walking
from batchlab_api.plots.critical import CriticalBatchPlot
from batchlab_api.plots.edge import EdgeOfStability
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row
from batchlab_api.plots.time_trends import TimeTrendsPlot
from batchlab_api.plots.verdicts import VerdictsPlot

_ALL: tuple[Plot[Any], ...] = (
    *results.PLOTS,
    TimeTrendsPlot(),
    *equal.PLOTS,
    *courses.PLOTS,
    *rates.PLOTS,
    *walking.PLOTS,
    *measures.PLOTS,
    *profiles.PLOTS,
    *landscape.PLOTS,
    EdgeOfStability(),
    CriticalBatchPlot(),
    *disorder.PLOTS,
    *grid.PLOTS,
    VerdictsPlot(),
)
PLOTS: dict[str, Plot[Any]] = {plot.name: plot for plot in _ALL}


def available(experiment: Row) -> list[Plot[Any]]:
    """The plots that an experiment with this spec and these metrics can have."""
    return [plot for plot in PLOTS.values() if plot.applies(experiment)]
