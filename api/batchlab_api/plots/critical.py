"""Updates to a target by batch size, the hyperbola through them, and where it bends beside the measured noise scale."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np
from batchlab.analyses.critical import noise_scale

from batchlab_api.plots import axes, found, frame, theme, words
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

CURVE = 80
"""Points of the fitted curve."""
CONFIDENCE = 0.95
FARTHEST = 4.0
"""How far beyond the batch sizes of the sweep the axis follows an interval, as a factor."""
LABEL = 15
"""Between the labels of two marks, in pixels."""


@dataclass(frozen=True)
class Mark:
    """A batch size with its interval, where it has one."""

    name: str
    value: float
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """As it stands beside its line."""
        ends = "" if self.low is None else f" [{words.amount(self.low)}, {words.amount(self.high or 0.0)}]"
        return f"{self.name} {words.amount(self.value)}{ends}"


@dataclass(frozen=True)
class Critical:
    """All that the plot shows: the sweep's points, the fitted curve, and batch sizes to be compared."""

    title: str
    lines: tuple[str, ...]
    batch: tuple[float, ...]
    updates: tuple[float, ...]
    rates: tuple[float, ...]
    curve: tuple[tuple[float, float], ...]
    marks: tuple[Mark, ...]


class CriticalBatchPlot(Plot[Critical]):
    """S(B) = S_min (1 + B_crit / B) through the sweep, with B_crit and the noise scale as vertical lines."""

    name = "critical-batch"
    title = "Updates to the target, and the critical batch size"
    description = (
        "Updates to the target at the best rate of each batch size, the fitted hyperbola, and the critical batch size "
        "beside the measured noise scale of the gradient, both with 95 % intervals."
    )

    def applies(self, experiment: Row) -> bool:
        return found.has(experiment, "critical_batch")

    def numbers(self, source: Source) -> Critical:
        made = found.of_kind(source, "critical_batch")
        if not made:
            return Critical(self.title, (words.setting(source),), (), (), (), (), ())
        values, arrays = made[-1].values, made[-1].arrays
        batch, updates, rates = (tuple(map(float, arrays[name])) for name in ("batch", "updates", "lr"))
        reach = np.geomspace(min(batch) / 2, max(batch) * 2, CURVE)
        heights = values["fewest_updates"] * (1 + values["critical_batch"] / reach)
        own = Mark("critical batch", values["critical_batch"], values["critical_batch_low"],
                   values["critical_batch_high"])  # fmt: skip
        noise = _noise(source, values)
        notes = [
            f"fitted: {words.amount(values['fewest_updates'])} (1 + {words.amount(values['critical_batch'])} / B)",
            "" if values["within"] else "the critical batch lies outside the sweep: it is extrapolated",
            "" if noise else "no noise scale was measured: ask for the probe `noise_scale`, or for `gradient_noise`",
        ]
        lines = (words.setting(source), *filter(None, notes))
        curve = tuple(zip(reach.tolist(), heights.tolist(), strict=True))
        return Critical(self.title, lines, batch, updates, rates, curve, (own, *([noise] if noise else [])))

    def chart(self, numbers: Critical, options: Options) -> alt.TopLevelMixin:
        said = self.summary(numbers)
        if not numbers.batch:
            return frame.empty(numbers.title, numbers.lines, said, options)
        return frame.finish(_draw(numbers, options), numbers.title, numbers.lines, said, options)

    def summary(self, numbers: Critical) -> str:
        if not numbers.batch:
            return f"{numbers.title}: nothing to show."
        ends = f"from {words.amount(numbers.updates[0])} updates at batch {words.amount(numbers.batch[0])} to "
        ends += f"{words.amount(numbers.updates[-1])} at batch {words.amount(numbers.batch[-1])}"
        return f"{numbers.title}: {ends}; {', '.join(mark.text for mark in numbers.marks)}."

    def rows(self, numbers: Critical) -> list[dict[str, Any]]:
        points = [
            {"quantity": "updates", "batch_size": b, "lr": lr, "value": u, "low": None, "high": None}
            for b, u, lr in zip(numbers.batch, numbers.updates, numbers.rates, strict=True)
        ]
        return points + [
            {"quantity": m.name, "batch_size": None, "lr": None, "value": m.value, "low": m.low, "high": m.high}
            for m in numbers.marks
        ]


def _noise(source: Source, values: Row) -> Mark | None:
    """What the probe has measured in the runs that the fit is of; else what analyses have at the ends of runs."""
    if values.get("noise_scale") is not None:
        bounds = values["noise_scale_low"], values["noise_scale_high"]
        return Mark("noise scale while training", values["noise_scale"], *bounds)
    by_seed: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for one in found.of_kind(source, "gradient_noise"):
        by_seed[one.seeds[0]].append((one.values["scatter"], one.values["signal"]))
    measured = noise_scale(by_seed, CONFIDENCE)
    return None if measured is None else Mark("noise scale at the end", *measured)


def _draw(numbers: Critical, options: Options) -> Any:
    low, high = numbers.curve[0][0], numbers.curve[-1][0]
    values = [v for m in numbers.marks for v in (m.value, m.low, m.high) if v is not None]
    seen = [float(np.clip(v, low / FARTHEST, high * FARTHEST)) for v in values]
    x_domain = min([low, *seen]), max([high, *seen])
    room = LABEL * len(numbers.marks) + 8
    heights = [*numbers.updates, *(y for _, y in numbers.curve)]
    width = frame.panel_width(options, 1, 50, 0)
    height = frame.panel_height(options, width, 180)
    bottom, top = axes.log_domain(heights)
    domain = bottom, top * (top / bottom) ** (room / height)
    x = axes.across("x:Q", x_domain, width / 2, log=True).title("Batch size (rows)")
    y = axes.value_axis("y:Q", domain, height, log=True).title("Updates to the target")
    ink = theme.INK[options.theme]
    curve = alt.Chart(frame.rows([{"x": a, "y": b} for a, b in numbers.curve]))
    points = [{"x": b, "y": u} for b, u in zip(numbers.batch, numbers.updates, strict=True)]
    count = len(numbers.marks)
    colours = theme.names(count, options.theme)
    marks = zip(numbers.marks, colours, theme.dashes(count), strict=True)
    layers = [layer for mark, colour, dash in marks for layer in _mark(mark, x_domain, colour, dash)]
    layers += [
        *_names(numbers.marks, x_domain, width, colours),
        curve.mark_line(strokeWidth=1.6, strokeDash=[5, 3], color=ink, clip=True).encode(x=x, y=y),
        alt.Chart(frame.rows(points)).mark_point(filled=True, size=55, opacity=1, color=ink).encode(x=x, y=y),
    ]
    return alt.layer(*layers).properties(width=width, height=height)


def _mark(mark: Mark, domain: axes.Domain, colour: str, dash: list[int]) -> list[alt.Chart]:
    """A vertical line with its interval as a band."""
    low, at, high = _ends(mark, domain)
    base = alt.Chart(frame.rows([{"x": at, "low": low, "high": high}]))
    scale = alt.Scale(type="log", domain=list(domain), nice=False)
    return [
        base.mark_rect(color=colour, opacity=0.15).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        base.mark_rule(color=colour, strokeWidth=1.6, strokeDash=dash).encode(x=alt.X("x:Q", scale=scale)),
    ]


def _names(marks: tuple[Mark, ...], domain: axes.Domain, width: float, colours: list[str]) -> list[alt.Chart]:
    """The names of the marks over each other, beside all of them: on the side that has more room."""
    ends = [axes.to_pixel(v, domain, width, log=True) for mark in marks for v in _ends(mark, domain)]
    right = width - max(ends) > min(ends)
    align: Literal["left", "right"] = "left" if right else "right"
    at = max(ends) + 6 if right else min(ends) - 6
    return [
        alt.Chart(frame.rows([{"text": mark.text}]))
        .mark_text(align=align, baseline="top", color=colour)
        .encode(x=alt.value(at), y=alt.value(4 + LABEL * i), text="text:N")
        for i, (mark, colour) in enumerate(zip(marks, colours, strict=True))
    ]


def _ends(mark: Mark, domain: axes.Domain) -> tuple[float, float, float]:
    """Lower end, value and upper end of a mark, as far as the axis goes."""
    low, at, high = (float(np.clip(mark.value if v is None else v, *domain)) for v in (mark.low, mark.value, mark.high))
    return low, at, high
