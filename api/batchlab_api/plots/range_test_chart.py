"""Draws range tests: a panel for each variant and batch size, the curve with a mark for each rule's rate."""

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from batchlab_api.plots import axes, frame, theme
from batchlab_api.plots.curves_chart import short
from batchlab_api.plots.options import Options

if TYPE_CHECKING:
    from batchlab_api.plots.range_test import RangeTests

ROOM = 16
"""Above a panel, for its name, in pixels."""


def draw(numbers: "RangeTests", said: str, options: Options) -> alt.TopLevelMixin:
    """The chart: variants in rows, batch sizes in columns."""
    if not numbers.courses:
        return frame.empty(numbers.title, numbers.lines, said, options)
    rules = tuple(dict.fromkeys(rule for course in numbers.courses for rule in course.suggestions))
    values = [float(v) for c in numbers.courses for v in (c.losses.min(), c.top)]
    domain = axes.linear_domain(values, zero=False)
    room = axes.label_width(domain, log=False) + frame.ROW_NAME
    width = frame.panel_width(options, len(numbers.batches), room, frame.legend_width(rules, options))
    height = frame.panel_height(options, width, 110)
    rates = (min(float(c.rates[0]) for c in numbers.courses), max(float(c.rates[-1]) for c in numbers.courses))
    x, y = axes.log_across("lr:Q", rates, width), axes.value_axis("loss:Q", domain, height, log=False)
    layers = alt.layer(*_layers(rules, x, y, options), data=frame.rows(_data(numbers)))
    grid = frame.Grid(numbers.panels, numbers.batches, "Learning rate of the update", "Smoothed loss (nats)")
    panel = layers.properties(width=width, height=height)
    return frame.finish(frame.panels(panel, grid), numbers.title, numbers.lines, said, options)


def _layers(rules: tuple[str, ...], x: alt.X, y: alt.Y, options: Options) -> list[alt.Chart]:
    style = frame.style("rule:N", rules, ordered=False, options=options, legend=True)
    base = alt.Chart().encode(x=x, y=y)
    curve = base.transform_filter("!isValid(datum.rule)")
    marks = base.transform_filter("isValid(datum.rule)")
    return [
        curve.mark_line(strokeWidth=1.4, clip=True, color=theme.INK[options.theme]),
        marks.mark_point(filled=True, size=70, opacity=1, clip=True).encode(
            tooltip=["rule:N", alt.Tooltip("lr:Q", format=".2g")], **style.of("color", "shape")
        ),
    ]


def _data(numbers: "RangeTests") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for course in numbers.courses:
        place = {"row": numbers.panels.index(course.panel), "column": numbers.batches.index(course.batch)}
        rates, losses = short(course.rates), short(course.losses)
        found += [{**place, "lr": lr, "loss": loss} for lr, loss in zip(rates, losses, strict=True)]
        for rule, rate in course.suggestions.items():
            if rate > course.rates[-1]:
                continue
            at = float(np.interp(np.log(rate), np.log(course.rates), course.losses))
            found.append({**place, "lr": rate, "loss": at, "rule": rule})
    return found
