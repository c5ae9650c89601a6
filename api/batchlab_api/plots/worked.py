"""A worked example: the one parameter of a model on its axis, every step an arrow with its numbers."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import axes, frame, paths, theme, words
from batchlab_api.plots.arms import arms, point_of
from batchlab_api.plots.curves import floats
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

STEPS = 6
"""Updates of a cell that can be followed number by number."""
ROW = 78
"""Height of a cell's row, in pixels."""
HEAD = 5.0
"""How far an arrow's shaft ends before its head's tip, in pixels."""


@dataclass(frozen=True)
class Descent:
    """The parameter of one cell before its first update and after each."""

    label: str
    lr: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Worked:
    """All that a worked example shows."""

    title: str
    lines: tuple[str, ...]
    name: str
    descents: tuple[Descent, ...]


class WorkedExample(Plot[Worked]):
    """The steps of a model of one parameter, with their numbers."""

    name = "worked-example"
    title = "Each step with its numbers"
    description = "The one parameter of a model after each of its first updates, with rate and gradient of every step."

    def applies(self, experiment: Row) -> bool:
        return len(paths.parameters(experiment)) == 1

    def numbers(self, source: Source) -> Worked:
        (name,) = paths.parameters(source.experiment)
        series = source.curves([f"{paths.PARAM}{name}"], STEPS, "step", "cell")
        places = arms([point_of(s) for s in series], along="")
        ends = {_key(cell): (cell["result"] or {}).get(f"{paths.FINAL}{name}") for cell in source.cells}
        found: dict[str, Descent] = {}
        for s in series:
            label = s["variant"] or places.label(point_of(s))
            found.setdefault(label, _descent(label, s, ends.get(_key(s))))
        subtitle = (words.setting(source), *words.missing(source.cells))
        return Worked(self.title, subtitle, name.rpartition(".")[2], tuple(found.values()))

    def chart(self, numbers: Worked, options: Options) -> alt.TopLevelMixin:
        return draw(numbers, options)

    def summary(self, numbers: Worked) -> str:
        return sentence(numbers)

    def rows(self, numbers: Worked) -> list[dict[str, Any]]:
        return [
            {"line": d.label, "update": i, "before": a, "gradient": (a - b) / d.lr, "after": b}
            for d in numbers.descents
            for i, (a, b) in enumerate(zip(d.values, d.values[1:], strict=False), start=1)
        ]


def _key(row: Row) -> Any:
    return (*(row[name] for name in ("variant", "batch_size", "lr", "momentum", "seed")), str(row.get("params") or {}))


def _descent(label: str, series: Row, end: float | None) -> Descent:
    values = [float(v) for v in floats(series["mean"]) if np.isfinite(v)]
    return Descent(label, series["lr"], (*values, *([] if end is None else [end])))


def sentence(numbers: Worked) -> str:
    """What the plot shows, in one sentence."""
    if not numbers.descents:
        return f"{numbers.title}: nothing to show."
    parts = [f"{d.label or 'it'} {', '.join(_text(v) for v in d.values)}" for d in numbers.descents]
    return f"{numbers.title}, {numbers.name} before and after each update: {'; '.join(parts)}."


def draw(numbers: Worked, options: Options) -> alt.TopLevelMixin:
    """A row for each cell: the axis of the parameter, its values, and the steps between them."""
    if not numbers.descents:
        return frame.empty(numbers.title, numbers.lines, sentence(numbers), options)
    width = frame.panel_width(options, 1, 0, 0)
    values = [v for d in numbers.descents for v in d.values]
    air = 0.08 * (max(values) - min(values) or 1.0)
    domain = (min(values) - air, max(values) + air)
    charts = [_row(d, domain, width, numbers, options) for d in numbers.descents]
    return frame.finish(alt.vconcat(*charts, spacing=6), numbers.title, numbers.lines, sentence(numbers), options)


def _row(descent: Descent, domain: axes.Domain, width: int, numbers: Worked, options: Options) -> Any:
    last = descent is numbers.descents[-1]
    ink, faint = theme.INK[options.theme], theme.FAINT[options.theme]
    colour = theme.names(1, options.theme)[0]
    axis = alt.Axis(values=axes.linear_ticks(*domain), format="~g", grid=True, labels=last, ticks=last, domain=last)
    x = alt.X("x:Q", title=numbers.name if last else None, scale=alt.Scale(domain=list(domain), nice=False, zero=False),
              axis=axis)  # fmt: skip
    y = alt.value(ROW * 0.6)
    arrows = alt.Chart(frame.rows(_arrows(descent, domain, width)))
    points = alt.Chart(frame.rows([{"x": v, "text": _text(v)} for v in descent.values]))
    title = alt.TitleParams(f"{descent.label or 'one cell'} (rate {words.number(descent.lr)})", fontSize=11,
                            fontWeight="normal", anchor="start", offset=2, color=ink)  # fmt: skip
    layers = [
        arrows.mark_rule(strokeWidth=2.2, color=colour).encode(x=x, x2="x2:Q", y=y),
        arrows.mark_point(shape="triangle-left", filled=True, size=80, opacity=1, color=colour).encode(
            x=alt.X("head:Q"), y=y, shape=alt.Shape("side:N", scale=None)
        ),
        arrows.mark_text(dy=-12, fontSize=11, color=faint).encode(x="middle:Q", y=y, text="text:N"),
        points.mark_circle(size=45, color=ink, opacity=1).encode(x=x, y=y),
        points.mark_text(dy=14, fontSize=11, color=ink).encode(x=x, y=y, text="text:N"),
    ]
    return alt.layer(*layers).properties(width=width, height=ROW, title=title)


def _arrows(descent: Descent, domain: axes.Domain, width: int) -> list[dict[str, Any]]:
    pixel = (domain[1] - domain[0]) / width
    found = []
    for a, b in zip(descent.values, descent.values[1:], strict=False):
        back = np.sign(a - b) * pixel * HEAD
        step, gradient = _text(b - a), _text((a - b) / descent.lr)
        side = "triangle-left" if b < a else "triangle-right"
        found.append(
            {"x": a, "x2": b + back, "head": b + back, "side": side, "middle": (a + b) / 2,
             "text": f"{step} = −{words.number(descent.lr)} × {gradient}"}
        )  # fmt: skip
    return found


def _text(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
