"""Time per update and per epoch side by side: as the batch grows one rises and the other falls (figs 3.9, 3.10)."""

import math
from dataclasses import dataclass
from typing import Any

import altair as alt

from batchlab_api.plots import by_axis, by_axis_chart, frame, saturation, words
from batchlab_api.plots.by_axis import BATCH, ByAxis, Quantity
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.saturation import Saturation
from batchlab_api.plots.source import Row, Source

TITLE = "Time per update and per epoch by batch size"
FEWEST = 3
"""Batch sizes that a fit of two numbers needs."""
GAP = 30
HEIGHT = 190


@dataclass(frozen=True)
class TimeTrends:
    """Both quantities, and the model of the first."""

    update: ByAxis
    epoch: ByAxis
    fit: Saturation | None
    """None with several lines or fewer than three batch sizes."""

    @property
    def is_empty(self) -> bool:
        """Whether one of the panels would have nothing to show."""
        return not (self.update.points and self.epoch.points)

    @property
    def lines(self) -> tuple[str, ...]:
        """The subtitle, to be wrapped."""
        if self.fit is None:
            return self.update.lines
        first, *rest = self.update.lines
        return (first, described(self.fit), *rest)


def described(fit: Saturation) -> str:
    """The fit in words, with its knee."""
    model = f"dashed: t = max({words.duration(fit.seconds)}, B / {words.amount(fit.rate)} rows per s)"
    return f"{model}, knee at batch {words.amount(fit.knee)}, residuals about a factor of {math.exp(fit.spread):.2f}"


class TimeTrendsPlot(Plot[TimeTrends]):
    """The two opposite trends."""

    name = "time-trends"
    title = TITLE
    description = (
        "Training seconds per update and per epoch against the batch size, side by side, with the fit of an update's "
        "time that is flat until the device is busy and then in proportion to the batch."
    )

    def applies(self, experiment: Row) -> bool:
        return "step_seconds" in experiment["metrics"] and sweeps(experiment, "batch_size")

    def numbers(self, source: Source) -> TimeTrends:
        update, epoch = (_measure(source, metric) for metric in ("seconds_per_update", "seconds_per_epoch"))
        return TimeTrends(update, epoch, _fit(update))

    def chart(self, numbers: TimeTrends, options: Options) -> alt.TopLevelMixin:
        return _draw(numbers, options)

    def summary(self, numbers: TimeTrends) -> str:
        if numbers.is_empty:
            return f"{TITLE}: nothing to show."
        return f"{by_axis.sentence(numbers.update)} {by_axis.sentence(numbers.epoch)}"

    def rows(self, numbers: TimeTrends) -> list[dict[str, Any]]:
        return [*by_axis.table(numbers.update), *by_axis.table(numbers.epoch)]


def _measure(source: Source, metric: str) -> ByAxis:
    words_of = metric.replace("seconds_", "time ").replace("_", " ")
    quantity = Quantity(metric, words_of)
    return by_axis.measure(source, words_of.capitalize(), [quantity], "s", BATCH, log=True, timing=True)


def _fit(update: ByAxis) -> Saturation | None:
    if len(update.arms.labels) > 1 or len(update.points) < FEWEST:
        return None
    return saturation.fit([p.x for p in update.points], [p.mean for p in update.points])


def _draw(numbers: TimeTrends, options: Options) -> alt.TopLevelMixin:
    plot = TimeTrendsPlot()
    said = plot.summary(numbers)
    if numbers.is_empty:
        return frame.empty(TITLE, numbers.lines, said, options)
    half = options if options.narrow else options.model_copy(update={"width": (options.pixels - GAP) // 2})
    half = half.model_copy(update={"height": options.height or HEIGHT})
    left = by_axis_chart.panels(numbers.update, "Time per update", half, model=numbers.fit.at if numbers.fit else None)
    right = by_axis_chart.panels(numbers.epoch, "Time per epoch", half)
    both = alt.vconcat(left, right) if options.narrow else alt.hconcat(left, right, spacing=GAP)
    return frame.finish(both, TITLE, numbers.lines, said, options)
