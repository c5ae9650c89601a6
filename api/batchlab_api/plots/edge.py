"""The largest curvature along training, under the edges beyond which steps of its rate and momentum do not settle."""

from collections import defaultdict
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import lines, lines_chart
from batchlab_api.plots.arms import Arms, arms, point_of
from batchlab_api.plots.lines import Line, Lines
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

POINTS = 1000
NAMES = {"lambda_max": "largest eigenvalue", "edge": "2 / lr", "edge_momentum": "2 (1 + m) / lr"}
"""What is drawn, by metric."""


class EdgeOfStability(Plot[Lines]):
    """The largest eigenvalue of the Hessian beside 2 / lr and, with momentum, 2 (1 + m) / lr (Cohen et al. 2021)."""

    name = "edge-of-stability"
    title = "The largest curvature and the edge of stability"
    description = "The Hessian's largest eigenvalue at the evaluations, beside the edges of the rate that was set."

    def applies(self, experiment: Row) -> bool:
        return "lambda_max" in experiment["metrics"]

    def numbers(self, source: Source) -> Lines:
        read = source.curves(list(NAMES), POINTS, "step", "seed")
        places = arms([point_of(series) for series in read], along="")
        by_panel: dict[str, dict[str, Line]] = defaultdict(dict)
        for series in read:
            panel = places.label(point_of(series))
            by_panel[panel][series["metric"]] = lines.line(series, NAMES[series["metric"]], panel)
        found = [line for panel in by_panel.values() for line in _apart(panel)]
        drawn = tuple(name for name in NAMES.values() if any(line.colour == name for line in found))
        shown = Arms(drawn, tuple(by_panel), False, {})
        seeds = max((line.n for line in found), default=0)
        return lines.frame(
            source, self.title, "dimensionless", "step", places=shown, found=found, note=lines.counted(seeds)
        )

    def chart(self, numbers: Lines, options: Options) -> alt.TopLevelMixin:
        return lines_chart.draw(numbers, "Eigenvalue of the Hessian", options)

    def summary(self, numbers: Lines) -> str:
        return lines.sentence(numbers)

    def rows(self, numbers: Lines) -> list[dict[str, Any]]:
        return lines.table(numbers)


def _apart(found: dict[str, Line]) -> list[Line]:
    """The lines of a panel; without momentum both edges are one."""
    edge, momentum = found.get("edge"), found.get("edge_momentum")
    same = edge is not None and momentum is not None and np.array_equal(edge.mean, momentum.mean)
    chosen = [found[name] for name in NAMES if name in found and not (same and name == "edge_momentum")]
    return [line for line in chosen if len(line.x)]
