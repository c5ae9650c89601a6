"""Draws results against a numeric axis of the sweep: means joined by lines, 95 % intervals as bars."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import altair as alt

from batchlab_api.plots import axes, frame, theme
from batchlab_api.plots.by_axis import BATCH, ByAxis, Point, sentence
from batchlab_api.plots.options import Options
from batchlab_api.plots.places import Places

ASIDE, ASIDE_ALL = 4.0, 14.0
"""How far neighbouring lines, and all lines together, stand apart so that their intervals do not hide each other."""
LABEL_GAP = 12.0
"""Least distance of two labels at the ends of lines, in pixels."""
LEAST_HEIGHT = 150
MODEL_STEP = 4
"""Between the points of a model's line, in pixels."""


@dataclass(frozen=True)
class Layout:
    """What takes the colour, what makes rows and columns of panels, and how large a panel is."""

    lines: tuple[str, ...]
    ordered: bool
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    places: Places
    width: int
    height: int

    @property
    def alone(self) -> bool:
        """Whether there is one panel, with labels at the ends of few lines instead of a legend."""
        return len(self.rows) * len(self.columns) == 1


def draw(numbers: ByAxis, y_title: str, options: Options) -> alt.TopLevelMixin:
    """The chart; the unit is added to `y_title`."""
    said = sentence(numbers)
    if not numbers.points:
        return frame.empty(numbers.title, numbers.lines, said, options)
    return frame.finish(panels(numbers, y_title, options), numbers.title, numbers.lines, said, options)


def panels(
    numbers: ByAxis, y_title: str, options: Options, model: Callable[[float], float] | None = None
) -> alt.FacetChart:
    """The chart without its title and theme; there must be points. `model` is drawn as a dashed line behind them."""
    least = numbers.points[0].mean
    numbers, unit = scaled(numbers)
    factor = numbers.points[0].mean / least if least else 1.0
    domain = value_domain(numbers)
    layout = _layout(numbers, domain, options)
    title = frame.fit(f"{y_title} ({unit})", layout.height * len(layout.rows))
    layers = [*_marks(numbers, layout, domain, options), *_labels(numbers, layout, domain, options)]
    if model is not None:
        layers.insert(0, _model(lambda x: factor * model(x), layout, domain, options))
    data = frame.rows([datum for p in numbers.points for datum in _data(p, layout, domain)])
    panel = alt.layer(*layers, data=data, width=layout.width, height=layout.height)
    return frame.panels(panel, frame.Grid(layout.rows, layout.columns, numbers.axis.title, title))


def _model(model: Callable[[float], float], layout: Layout, domain: axes.Domain, options: Options) -> alt.Chart:
    """The model between the ends of the axis, as far as it lies within the domain."""
    values = layout.places.values
    steps = [layout.places.beside(values[0], pixels) for pixels in range(0, layout.width, MODEL_STEP)]
    data = [{"x": x, "mean": model(x)} for x in steps if x <= values[-1] and domain[0] <= model(x) <= domain[1]]
    faint = theme.FAINT[options.theme]
    line: alt.Chart = alt.Chart(frame.rows(data)).mark_line(strokeDash=[4, 3], strokeWidth=1.2, color=faint)
    return line.encode(x=alt.X("x:Q", title=None), y=alt.Y("mean:Q", title=None))


def scaled(numbers: ByAxis) -> tuple[ByAxis, str]:
    """The numbers with seconds in a unit that keeps them readable, and the unit's name."""
    least = min(p.mean for p in numbers.points)
    if numbers.unit != "s" or least >= 1:
        return numbers, numbers.unit
    factor, name = (1e3, "ms") if least >= 1e-3 else (1e6, "µs")
    return replace(numbers, points=tuple(_times(p, factor) for p in numbers.points)), name


def _times(p: Point, factor: float) -> Point:
    low, high = (None if v is None else v * factor for v in (p.low, p.high))
    return replace(p, mean=p.mean * factor, low=low, high=high, seeds=tuple(v * factor for v in p.seeds))


def _layout(numbers: ByAxis, domain: axes.Domain, options: Options) -> Layout:
    """One line a quantity; with several arms one line an arm, and a column for each quantity."""
    arms = numbers.arms
    split = len(arms.colours) > 1
    lines, columns = (arms.colours, numbers.quantities) if split else (numbers.quantities, ("",))
    columns = columns if len(columns) > 1 else ("",)
    if len(lines) > 1 and not split and len(arms.panels) == 1:
        beside = frame.text_width(lines)
    else:
        beside = frame.legend_width(lines, options) + frame.ROW_NAME * (len(arms.panels) > 1)
    width = frame.panel_width(options, len(columns), axes.label_width(domain, log=numbers.log), beside)
    height = frame.panel_height(options, width, LEAST_HEIGHT)
    places = Places.of(numbers.xs, width, log=numbers.axis is BATCH)
    return Layout(lines, split and arms.ordered, columns, arms.panels, places, width, height)


def value_domain(numbers: ByAxis) -> axes.Domain:
    values = [v for p in numbers.points for v in (p.mean, p.low, p.high, *p.seeds) if v is not None]
    if numbers.log:
        return axes.log_domain(values)
    low, high = axes.linear_domain(values)
    return (max(low, 0.0), min(high, 1.0)) if numbers.unit == "fraction" else (low, high)


def _data(p: Point, layout: Layout, domain: axes.Domain) -> list[dict[str, object]]:
    """A point as the chart's data, and each of its seeds; an interval is cut where the axis ends."""
    line = p.colour if p.colour in layout.lines else p.quantity
    steps = layout.lines.index(line) - (len(layout.lines) - 1) / 2
    aside = steps * min(ASIDE, ASIDE_ALL / len(layout.lines))
    place = {
        "line": line,
        "column": layout.columns.index(p.quantity) if len(layout.columns) > 1 else 0,
        "row": layout.rows.index(p.panel),
        "value": p.x,
        "x": layout.places.beside(p.x, aside),
    }
    low = None if p.low is None else max(p.low, domain[0])
    high = None if p.high is None else min(p.high, domain[1])
    return [
        place | {"mean": p.mean, "low": low, "high": high, "n": p.n},
        *(place | {"seed": value} for value in p.seeds if value >= domain[0]),
    ]


def _marks(numbers: ByAxis, layout: Layout, domain: axes.Domain, options: Options) -> list[alt.Chart]:
    legend = len(layout.lines) > 1 and (not layout.alone or len(numbers.arms.colours) > 1)
    style = frame.style("line:N", layout.lines, ordered=layout.ordered, options=options, legend=legend)
    tooltip = ["line:N", "value:Q", alt.Tooltip("mean:Q", format=".4g"), "low:Q", "high:Q", "n:Q"]
    x = layout.places.axis()
    mean = axes.value_axis("mean:Q", domain, layout.height, log=numbers.log)
    means = alt.Chart().transform_filter("isValid(datum.mean)").encode(x=x, y=mean)
    bars = alt.Chart().transform_filter("isValid(datum.low)").encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
    dots = alt.Chart().transform_filter("isValid(datum.seed)").encode(x=x, y=alt.Y("seed:Q", title=None))
    return [
        means.mark_line(strokeWidth=1.5).encode(**style.of("color", "strokeDash")),
        bars.mark_errorbar(ticks={"size": 6}, thickness=1.1).encode(**style.of("color")),
        dots.mark_circle(size=9, opacity=0.9).encode(**style.of("color")),
        means.mark_point(size=32, filled=True, opacity=1).encode(tooltip=tooltip, **style.of("color", "shape")),
    ]


def _labels(numbers: ByAxis, layout: Layout, domain: axes.Domain, options: Options) -> list[alt.Chart]:
    """The name of each line behind its last point, moved apart where two would touch."""
    if not layout.alone or len(numbers.arms.colours) > 1 or len(layout.lines) < 2:
        return []
    last = {p.quantity: p for p in numbers.points}
    wanted = [axes.to_pixel(p.mean, domain, layout.height, log=numbers.log) for p in last.values()]
    placed = frame.spread(wanted, LABEL_GAP)
    data = [
        {"x": p.x, "text": name, "mean": axes.from_pixel(y, domain, layout.height, log=numbers.log)}
        for (name, p), y in zip(last.items(), placed, strict=True)
    ]
    text = alt.Chart(frame.rows(data)).mark_text(align="left", dx=9, fontSize=11, color=theme.INK[options.theme])
    return [text.encode(x=alt.X("x:Q", title=None), y=alt.Y("mean:Q", title=None), text="text:N")]
