"""Best validation loss by batch size, a line for each rule of the rate, every point with the rate that it had."""

from dataclasses import dataclass
from typing import Any

import altair as alt
from batchlab.merging import merge
from batchlab.results import group_cells

from batchlab_api.plots import axes, frame, words
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source

LISTED = ("table", "list")
"""Rules that give rates one by one."""


@dataclass(frozen=True)
class Point:
    """The best validation loss of a batch size under a rule."""

    line: str
    batch_size: int
    lr: float
    n: int
    mean: float
    low: float
    """Lower end of the 95 % t interval; the mean itself below two seeds."""
    high: float


@dataclass(frozen=True)
class Matched:
    """All that the plot shows."""

    title: str
    lines: tuple[str, ...]
    names: tuple[str, ...]
    told: str
    """The line whose rates are written beside its points: of one that follows a formula, its name tells enough."""
    points: tuple[Point, ...]


class MatchedRates(Plot[Matched]):
    """Figure 6.7.5 of the textbook: rates matched to the batch size against one rate for all."""

    name = "matched-rates"
    title = "Best validation loss by batch size, with the rates"
    description = "Lowest validation loss of a run against the batch size, a line a variant, one with its rates."

    def applies(self, experiment: Row) -> bool:
        metric = "val_loss" in experiment["metrics"]
        return metric and sweeps(experiment, "batch_size") and sweeps(experiment, "variant")

    def numbers(self, source: Source) -> Matched:
        found = [point for group in group_cells(source.cells) if (point := _point(group)) is not None]
        names = tuple(dict.fromkeys(point.line for point in found))
        told = _without_formula(source.experiment["spec"], names)
        rates = f"numbers: the rates of {told}" if told else ""
        notes = filter(None, [words.seeds([point.n for point in found]), rates])
        subtitle = (words.setting(source), *notes, *words.missing(source.cells))
        return Matched(self.title, subtitle, names, told, tuple(found))

    def chart(self, numbers: Matched, options: Options) -> alt.TopLevelMixin:
        return draw(numbers, self.summary(numbers), options)

    def summary(self, numbers: Matched) -> str:
        parts = []
        for name in numbers.names:
            own = sorted((p for p in numbers.points if p.line == name), key=lambda p: p.batch_size)
            parts.append(
                f"{name} from {words.number(own[0].mean, 3)} at batch {own[0].batch_size} "
                f"to {words.number(own[-1].mean, 3)} at batch {own[-1].batch_size}"
            )
        return f"{numbers.title}: {'; '.join(parts) or 'nothing to show'}."

    def rows(self, numbers: Matched) -> list[dict[str, Any]]:
        return [dict(vars(point)) for point in numbers.points]


def _without_formula(spec: Row, names: tuple[str, ...]) -> str:
    """The first variant whose rates are listed; the first of all where each follows a rule."""
    rules = {str(arm.get("name")): merge(spec, arm)["lr"]["rule"] for arm in spec.get("variants") or ()}
    listed = [name for name in names if rules.get(name) in LISTED]
    return next(iter([*listed, *names]), "")


def _point(group: Row) -> Point | None:
    by, found = group["by"], group.get("best_val_loss") or {}
    if found.get("mean") is None:
        return None
    low, high = found["ci95"] or (found["mean"], found["mean"])
    return Point(str(by["variant"] or ""), by["batch_size"], by["lr"], group["n"], found["mean"], low, high)


def draw(numbers: Matched, said: str, options: Options) -> alt.TopLevelMixin:
    """The chart: one panel, batch sizes on a log axis, the rate beside each point."""
    if not numbers.points:
        return frame.empty(numbers.title, numbers.lines, said, options)
    domain = axes.log_domain(value for p in numbers.points for value in (p.mean, max(p.low, p.mean / 10), p.high))
    beside = frame.legend_width(numbers.names, options)
    width = frame.panel_width(options, 1, axes.label_width(domain, log=True), beside)
    height = frame.panel_height(options, width, 220)
    layers = alt.layer(*_layers(numbers, domain, height, options), data=frame.rows(_data(numbers, domain)))
    titled = layers.properties(width=width, height=height)
    return frame.finish(titled, numbers.title, numbers.lines, said, options)


def _layers(numbers: Matched, domain: axes.Domain, height: int, options: Options) -> list[alt.Chart]:
    several = len(numbers.names) > 1
    style = frame.style("line:N", numbers.names, ordered=False, options=options, legend=several)
    sizes = sorted({p.batch_size for p in numbers.points})
    edge = alt.Scale(type="log", domain=[sizes[0] / 1.15, sizes[-1] * 1.25], nice=False)
    x = alt.X("batch_size:Q", title="Batch size (rows)", scale=edge, axis=alt.Axis(values=sizes, grid=False))
    title = "Best validation loss (nats)"
    y = {name: axes.value_axis(f"{name}:Q", domain, height, log=True).title(title) for name in ("mean", "low")}
    base = alt.Chart().encode(x=x)
    tooltip = ["line:N", "batch_size:Q", "lr:Q", alt.Tooltip("mean:Q", format=".4g"), "n:Q"]
    return [
        base.mark_rule(strokeWidth=1.2, clip=True).encode(y=y["low"], y2="high:Q", **style.of("color")),
        base.mark_line(strokeWidth=1.6, clip=True).encode(y=y["mean"], **style.of("color", "strokeDash")),
        base.mark_point(filled=True, size=50, opacity=1).encode(
            y=y["mean"], tooltip=tooltip, **style.of("color", "shape")
        ),
        base.transform_filter("datum.label != ''")
        .mark_text(align="left", baseline="top", dx=3, dy=5, fontSize=10)
        .encode(y=y["mean"], text="label:N", **style.of("color")),
    ]


def _data(numbers: Matched, domain: axes.Domain) -> list[dict[str, Any]]:
    """A row a point; a rate is written where it differs from that of the point before it on the line."""
    found, before = [], None
    for p in sorted(numbers.points, key=lambda p: p.batch_size):
        label = ""
        if p.line == numbers.told:
            label, before = words.number(p.lr, 3) if p.lr != before else "", p.lr
        found.append({**vars(p), "low": max(p.low, domain[0]), "high": min(p.high, domain[1]), "label": label})
    return found
