"""Draws verdicts: a strip for each claim, with its effect and interval above the effects that agree with it."""

from typing import Any

import altair as alt

from batchlab_api.plots import axes, frame, theme, words
from batchlab_api.plots.forest import ORDER, Forest, Strip, known, said, sentence
from batchlab_api.plots.options import Options

HEIGHT = 22
"""Of a strip, in pixels."""
SHADE = 0.16
SHAPES = dict(zip(ORDER, ("circle", "square", "triangle-up"), strict=True))
TICKS = 6


def draw(numbers: Forest, options: Options) -> alt.TopLevelMixin:
    """The chart: strips below each other, each with an axis of its own, as effects differ in what they are."""
    told = sentence(numbers)
    if not numbers.strips:
        return frame.empty(numbers.title, numbers.lines, told, options)
    width = frame.panel_width(options, 1, 0, 0)
    strips = [_strip(strip, width, options) for strip in numbers.strips]
    return frame.finish(alt.vconcat(*strips, spacing=6), numbers.title, numbers.lines, told, options)


def _strip(strip: Strip, width: int, options: Options) -> Any:
    domain = _domain(strip)
    x = _axis(domain, strip, width)
    claimed = {
        "claimed_low": domain[0] if strip.claimed_low is None else strip.claimed_low,
        "claimed_high": domain[1] if strip.claimed_high is None else strip.claimed_high,
    }
    values = claimed | {name: getattr(strip, name) for name in ("effect", "low", "high", "wide_low", "wide_high")}
    base = alt.Chart(frame.rows([values]))
    colour = _colours(options)[strip.verdict]
    shade = base.mark_rect(opacity=SHADE, color=theme.NAMES[options.theme][2])
    bars = [
        base.mark_rule(strokeWidth=stroke, color=colour).encode(x=f"{low}:Q", x2=f"{high}:Q")
        for low, high, stroke in (("wide_low", "wide_high", 1.2), ("low", "high", 3.5))
        if values[low] is not None
    ]
    zero = base.mark_rule(strokeDash=[3, 3], color=theme.FAINT[options.theme]).encode(x=alt.datum(0))
    layers: list[Any] = [shade.encode(x=x, x2="claimed_high:Q"), zero, *bars]
    if strip.effect is not None:
        point = base.mark_point(shape=SHAPES[strip.verdict], size=70, filled=True, opacity=1, color=colour)
        layers.append(point.encode(x="effect:Q", tooltip=["effect:Q", "low:Q", "high:Q"]))
    return alt.layer(*layers, width=width, height=HEIGHT, title=_heading(strip, width, colour))


def _axis(domain: axes.Domain, strip: Strip, width: int) -> alt.X:
    """The effect's axis, with its name."""
    ticks = axes.linear_ticks(*domain, TICKS)
    columns = int(width / frame.SMALL)
    title = words.wrap([strip.measured], columns)
    axis = alt.Axis(
        values=ticks, grid=False, title=title, titleFontSize=10, labelFontSize=10, titlePadding=3, format="~g"
    )
    return alt.X("claimed_low:Q", scale=alt.Scale(domain=list(domain), nice=False, zero=False), axis=axis)


def _colours(options: Options) -> dict[str, str]:
    """A colour for each verdict; the undecided are grey."""
    names = theme.NAMES[options.theme]
    return dict(zip(ORDER, (names[0], names[1], theme.FAINT[options.theme]), strict=True))


def _domain(strip: Strip) -> axes.Domain:
    low, high = min(known(strip)), max(known(strip))
    air = 0.12 * (high - low) or 1.0
    return low - air, high + air


def _heading(strip: Strip, width: int, colour: str) -> alt.TitleParams:
    lines = words.wrap([strip.text], int(width / frame.SMALL))
    return alt.TitleParams(
        lines, subtitle=said(strip), subtitleColor=colour, fontSize=11, subtitleFontSize=11, anchor="start",
        fontWeight="normal", offset=4, subtitlePadding=2,
    )  # fmt: skip
