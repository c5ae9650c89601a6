"""Small multiples of planned learning rates: a panel for each variant, all on the same axes."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
from batchlab.cell import Cell

from batchlab_api import axis
from batchlab_api.plots import axes, frame, theme, words
from batchlab_api.plots.curves import Floats
from batchlab_api.plots.curves_chart import short
from batchlab_api.plots.options import Options
from batchlab_api.plots.planned import one_a_point
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source

POINTS = 240
MOST = 24
"""Panels, at the most."""
WIDE, NARROW = 4, 2
"""Panels beside each other in a wide and in a narrow figure."""
GAP = 22
"""Between rows, with the name of a panel, in pixels."""


@dataclass(frozen=True)
class Shape:
    """The rate of a variant over the epochs; arrays have shape (points,)."""

    name: str
    epochs: Floats
    rates: Floats


@dataclass(frozen=True)
class Shapes:
    """All that the plot shows."""

    title: str
    lines: tuple[str, ...]
    shapes: tuple[Shape, ...]


class RateCurves(Plot[Shapes]):
    """The course of the rate of each variant, side by side."""

    name = "lr-curves"
    title = "Learning rates side by side, as planned"
    description = "The learning rate over the epochs, a panel for each variant, from its rule and its schedule alone."

    def applies(self, experiment: Row) -> bool:
        return bool(experiment["spec"]) and sweeps(experiment, "variant")

    def numbers(self, source: Source) -> Shapes:
        first: dict[str, Cell] = {}
        for cell in one_a_point(source.experiment["spec"]):
            first.setdefault(str(cell.variant or ""), cell)
        found = tuple(_shape(name, cell) for name, cell in list(first.items())[:MOST])
        note = f"{len(found)} of {words.several(len(first), 'variant')} shown" if len(first) > MOST else ""
        return Shapes(self.title, (words.setting(source), *filter(None, [note])), found)

    def chart(self, numbers: Shapes, options: Options) -> alt.TopLevelMixin:
        return _draw(numbers, self.summary(numbers), options)

    def summary(self, numbers: Shapes) -> str:
        parts = [f"{row['variant']} from {words.number(row['first'], 2)} to {words.number(row['last'], 2)}"
                 for row in self.rows(numbers)]  # fmt: skip
        return f"{numbers.title}: {'; '.join(parts) or 'nothing to show'}."

    def rows(self, numbers: Shapes) -> list[dict[str, Any]]:
        return [
            {
                "variant": shape.name,
                "first": float(shape.rates[0]),
                "last": float(shape.rates[-1]),
                "lowest": float(shape.rates.min()),
                "highest": float(shape.rates.max()),
            }
            for shape in numbers.shapes
        ]


def _shape(name: str, cell: Cell) -> Shape:
    steps = np.unique(np.linspace(0, cell.steps - 1, min(POINTS, cell.steps)).round())
    return Shape(name, axis.along("epoch", cell, steps, None), cell.rates(steps))


def _draw(numbers: Shapes, said: str, options: Options) -> alt.TopLevelMixin:
    if not numbers.shapes:
        return frame.empty(numbers.title, numbers.lines, said, options)
    columns = min(len(numbers.shapes), NARROW if options.narrow else WIDE)
    domain = axes.linear_domain([0.0, *(float(shape.rates.max()) for shape in numbers.shapes)])
    width = frame.panel_width(options, columns, axes.label_width(domain, log=False), 0)
    height = options.height or int(0.5 * width)
    layers = alt.layer(*_layers(numbers, domain, height, options), data=frame.rows(_data(numbers, columns)))
    rows = -(-len(numbers.shapes) // columns)
    grid = frame.Grid([""] * rows, [""] * columns, "Epoch", "Learning rate", GAP)
    panel = layers.properties(width=width, height=height).transform_flatten(flatten=["x", "lr", "label"])
    return frame.finish(frame.panels(panel, grid), numbers.title, numbers.lines, said, options)


def _layers(numbers: Shapes, domain: axes.Domain, height: int, options: Options) -> list[alt.Chart]:
    end = max(float(shape.epochs[-1]) for shape in numbers.shapes)
    x = alt.X("x:Q", title=None, scale=alt.Scale(domain=[0, end], nice=False), axis=alt.Axis(tickCount=3, grid=False))
    colour = theme.names(1, options.theme)[0]
    base = alt.Chart().encode(x=x)
    return [
        base.mark_line(strokeWidth=1.6, color=colour, clip=True).encode(
            y=axes.value_axis("lr:Q", domain, height, log=False)
        ),
        alt.Chart()
        .transform_filter("isValid(datum.label)")
        .mark_text(align="left", baseline="bottom", fontSize=11, color=theme.INK[options.theme])
        .encode(x=alt.value(0), y=alt.value(-3), text="label:N"),
    ]


def _data(numbers: Shapes, columns: int) -> list[dict[str, Any]]:
    """One datum a panel with its arrays, which the chart flattens; the name at the first point only."""
    return [
        {
            "row": i // columns,
            "column": i % columns,
            "x": short(shape.epochs),
            "lr": short(shape.rates),
            "label": [shape.name, *[None] * (len(shape.epochs) - 1)],
        }
        for i, shape in enumerate(numbers.shapes)
    ]
