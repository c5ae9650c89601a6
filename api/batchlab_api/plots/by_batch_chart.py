"""Draws results over the batch size: means joined by lines, 95 % intervals as bars."""

from dataclasses import dataclass, replace

import altair as alt

from batchlab_api.plots import axes, frame, theme
from batchlab_api.plots.by_batch import ByBatch, Point, sentence
from batchlab_api.plots.options import Options

ASIDE, ASIDE_ALL = 4.0, 14.0
"""How far neighbouring lines, and all lines together, stand apart so that their intervals do not hide each other."""
LABEL_GAP = 12.0
"""Least distance of two labels at the ends of lines, in pixels."""
LEAST_HEIGHT = 150


@dataclass(frozen=True)
class Layout:
    """What takes the colour, what makes rows and columns of panels, and how large a panel is."""

    lines: tuple[str, ...]
    ordered: bool
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    sizes: tuple[int, ...]
    width: int
    height: int

    @property
    def alone(self) -> bool:
        """Whether there is one panel, with labels at the ends of few lines instead of a legend."""
        return len(self.rows) * len(self.columns) == 1


def draw(numbers: ByBatch, y_title: str, options: Options) -> alt.TopLevelMixin:
    """The chart; the unit is added to `y_title`."""
    said = sentence(numbers)
    if not numbers.points:
        return frame.empty(numbers.title, numbers.lines, said, options)
    numbers, unit = _scaled(numbers)
    domain = _domain(numbers)
    layout = _layout(numbers, domain, options)
    title = frame.fit(f"{y_title} ({unit})", layout.height * len(layout.rows))
    layers = [*_marks(numbers, layout, domain, options), *_labels(numbers, layout, domain, options)]
    data = frame.rows([datum for p in numbers.points for datum in _data(p, layout, domain)])
    panel = alt.layer(*layers, data=data, width=layout.width, height=layout.height)
    chart = frame.panels(panel, frame.Grid(layout.rows, layout.columns, "Batch size (rows)", title))
    return frame.finish(chart, numbers.title, numbers.lines, said, options)


def _scaled(numbers: ByBatch) -> tuple[ByBatch, str]:
    """The numbers with seconds in a unit that keeps them readable, and the unit's name."""
    least = min(p.mean for p in numbers.points)
    if numbers.unit != "s" or least >= 1:
        return numbers, numbers.unit
    factor, name = (1e3, "ms") if least >= 1e-3 else (1e6, "µs")
    return replace(numbers, points=tuple(_times(p, factor) for p in numbers.points)), name


def _times(p: Point, factor: float) -> Point:
    low, high = (None if v is None else v * factor for v in (p.low, p.high))
    return replace(p, mean=p.mean * factor, low=low, high=high, seeds=tuple(v * factor for v in p.seeds))


def _layout(numbers: ByBatch, domain: axes.Domain, options: Options) -> Layout:
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
    return Layout(lines, split and arms.ordered, columns, arms.panels, numbers.batch_sizes, width, height)


def _domain(numbers: ByBatch) -> axes.Domain:
    values = [v for p in numbers.points for v in (p.mean, p.low, p.high, *p.seeds) if v is not None]
    if numbers.log:
        return axes.log_domain(values)
    low, high = axes.linear_domain(values)
    return low, min(high, 1.0) if numbers.unit == "fraction" else high


def _data(p: Point, layout: Layout, domain: axes.Domain) -> list[dict[str, object]]:
    """A point as the chart's data, and each of its seeds; an interval is cut where the axis ends."""
    line = p.colour if p.colour in layout.lines else p.quantity
    steps = layout.lines.index(line) - (len(layout.lines) - 1) / 2
    aside = steps * min(ASIDE, ASIDE_ALL / len(layout.lines))
    place = {
        "line": line,
        "column": layout.columns.index(p.quantity) if len(layout.columns) > 1 else 0,
        "row": layout.rows.index(p.panel),
        "batch_size": p.batch_size,
        "x": axes.beside(p.batch_size, aside, layout.sizes, layout.width),
    }
    low = None if p.low is None else max(p.low, domain[0])
    high = None if p.high is None else min(p.high, domain[1])
    return [
        place | {"mean": p.mean, "low": low, "high": high, "n": p.n},
        *(place | {"seed": value} for value in p.seeds if value >= domain[0]),
    ]


def _marks(numbers: ByBatch, layout: Layout, domain: axes.Domain, options: Options) -> list[alt.Chart]:
    legend = len(layout.lines) > 1 and (not layout.alone or len(numbers.arms.colours) > 1)
    style = frame.style("line:N", layout.lines, ordered=layout.ordered, options=options, legend=legend)
    tooltip = ["line:N", "batch_size:Q", alt.Tooltip("mean:Q", format=".4g"), "low:Q", "high:Q", "n:Q"]
    x = axes.batch_axis(layout.sizes, layout.width)
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


def _labels(numbers: ByBatch, layout: Layout, domain: axes.Domain, options: Options) -> list[alt.Chart]:
    """The name of each line behind its last point, moved apart where two would touch."""
    if not layout.alone or len(numbers.arms.colours) > 1 or len(layout.lines) < 2:
        return []
    last = {p.quantity: p for p in numbers.points}
    wanted = [axes.to_pixel(p.mean, domain, layout.height, log=numbers.log) for p in last.values()]
    placed = frame.spread(wanted, LABEL_GAP)
    data = [
        {"x": p.batch_size, "text": name, "mean": axes.from_pixel(y, domain, layout.height, log=numbers.log)}
        for (name, p), y in zip(last.items(), placed, strict=True)
    ]
    text = alt.Chart(frame.rows(data)).mark_text(align="left", dx=9, fontSize=11, color=theme.INK[options.theme])
    return [text.encode(x=alt.X("x:Q", title=None), y=alt.Y("mean:Q", title=None), text="text:N")]
