"""The plot of an experiment's verdicts."""

from typing import Any

import altair as alt
from batchlab.studies import STUDIES

from batchlab_api.plots import forest, forest_chart
from batchlab_api.plots.forest import Forest
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source


class VerdictsPlot(Plot[Forest]):
    """Each claim with its effect, its interval and the effects that agree with it."""

    name = "verdicts"
    title = "What the data say of the claims"
    description = "For each claim the mean effect over seeds with its interval, against the effects that agree with it."

    def applies(self, experiment: Row) -> bool:
        study = STUDIES.get(experiment["spec"].get("study") or "")
        tested = any(claim.test is not None for claim in study.claims) if study else False
        return tested or any(claim.get("test") for claim in experiment["spec"].get("claims") or ())

    def numbers(self, source: Source) -> Forest:
        return forest.measure(source, self.title)

    def chart(self, numbers: Forest, options: Options) -> alt.TopLevelMixin:
        return forest_chart.draw(numbers, options)

    def summary(self, numbers: Forest) -> str:
        return forest.sentence(numbers)

    def rows(self, numbers: Forest) -> list[dict[str, Any]]:
        return forest.table(numbers)
