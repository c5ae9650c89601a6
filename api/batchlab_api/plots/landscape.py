"""The loss around solutions: bands of its logarithm over the plane of two directions, or curves over one; all on the
same axes and colours, so that cells compare."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import found, frame, theme, words
from batchlab_api.plots.found import Found
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

BANDS = 10
COLUMNS = 4
MOST_PANELS = 8
LOWEST = 1e-4
"""Losses below this count as this, on the log scale."""


@dataclass(frozen=True)
class Panel:
    """One cell's landscape: `loss` by y and x."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Landscapes:
    """All that the plot shows."""

    title: str
    lines: tuple[str, ...]
    panels: tuple[Panel, ...]
    low: float
    high: float


class LandscapePlot(Plot[Landscapes]):
    """One landscape for each place in the sweep, of its first seed."""

    name = "landscape"
    title = "The loss around the solutions"
    description = (
        "Training loss in the plane of two random directions, scaled filter by filter, around the last weights."
    )

    def applies(self, experiment: Row) -> bool:
        return found.has(experiment, "landscape")

    def numbers(self, source: Source) -> Landscapes:
        places = found.by_place([one for one in found.of_kind(source, "landscape") if "y" in one.arrays])
        firsts = {place: some[0] for place, some in list(places.items())[:MOST_PANELS]}
        panels = tuple(_panel(place, one) for place, one in firsts.items())
        values = np.array([v for panel in panels for row in panel.loss for v in row])
        finite = np.clip(values[np.isfinite(values)], LOWEST, None)
        seeds = sorted({one.seeds[0] for one in firsts.values()})
        seed = f"seed {seeds[0]}" if len(seeds) == 1 else ""
        scaled = {str(one.meta.get("normalise")) for one in firsts.values()}
        notes = [words.joined(seed, f"directions scaled by {' / '.join(sorted(scaled))}" if scaled else "")]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (LOWEST, 1.0)
        return Landscapes(self.title, (words.setting(source), *filter(None, notes)), panels, low, max(high, 1.1 * low))

    def chart(self, numbers: Landscapes, options: Options) -> alt.TopLevelMixin:
        said = self.summary(numbers)
        if not numbers.panels:
            return frame.empty(numbers.title, numbers.lines, said, options)
        columns = min(len(numbers.panels), 2 if options.narrow else COLUMNS)
        side = frame.panel_width(options, columns, 34 * columns, 0 if options.narrow else 70)
        charts = [self._panel(numbers, i, columns, side, options) for i in range(len(numbers.panels))]
        grid = alt.concat(*charts, columns=columns, spacing=frame.SPACING).resolve_scale(color="shared")
        return frame.finish(grid, numbers.title, numbers.lines, said, options)

    def _panel(self, numbers: Landscapes, i: int, columns: int, side: int, options: Options) -> Any:
        panel = numbers.panels[i]
        edges = np.geomspace(numbers.low, numbers.high, BANDS + 1)[1:-1]
        bands = alt.Scale(type="threshold", domain=edges.tolist(), scheme="viridis")
        colour = alt.Color(
            "loss:Q",
            title="Training loss",
            scale=bands,
            legend=alt.Legend(orient="bottom" if options.narrow else "right", format=".2g", gradientLength=130),
        )
        line = alt.Stroke("loss:Q", scale=bands, legend=None)  # else the page shines through between two fields
        last = i >= len(numbers.panels) - columns
        axis = alt.Axis(tickCount=3, grid=False)
        across, up = (alt.Scale(domain=_range(values), nice=False) for values in (panel.x, panel.y))
        x = alt.X("x:Q", title="First direction" if last else None, axis=axis, scale=across)
        y = alt.Y("y:Q", title="Second direction" if i % columns == 0 else None, axis=axis, scale=up)
        base = alt.Chart(frame.rows(_data(panel)))
        fields = base.mark_rect(strokeWidth=0.7).encode(x=x, y=y, x2="x2:Q", y2="y2:Q", color=colour, stroke=line)
        centre = alt.Chart(frame.rows([{"x": 0.0, "y": 0.0}])).mark_point(
            shape="cross", size=45, filled=True, color=theme.BACKGROUND["light"], stroke=theme.INK["light"]
        )
        title = alt.TitleParams(words.wrap([panel.name], max(10, int(side / frame.SMALL))), fontSize=11,
                                fontWeight="normal", offset=4)  # fmt: skip
        return alt.layer(fields, centre.encode(x="x:Q", y="y:Q")).properties(width=side, height=side, title=title)

    def summary(self, numbers: Landscapes) -> str:
        if not numbers.panels:
            return f"{numbers.title}: nothing to show."
        parts = [
            f"{p.name or 'the cell'} from {words.number(min(map(min, p.loss)), 3)} to "
            f"{words.number(max(map(max, p.loss)), 3)}"
            for p in numbers.panels
        ]
        return f"{numbers.title}, training loss: {'; '.join(parts)}."

    def rows(self, numbers: Landscapes) -> list[dict[str, Any]]:
        return [
            {"place": panel.name, "x": x, "y": y, "loss": loss}
            for panel in numbers.panels
            for y, row in zip(panel.y, panel.loss, strict=True)
            for x, loss in zip(panel.x, row, strict=True)
        ]


def _panel(place: str, one: Found) -> Panel:
    x, y, loss = (one.arrays[name].tolist() for name in ("x", "y", "loss"))
    return Panel(place, tuple(x), tuple(y), tuple(map(tuple, loss)))


def _half(values: tuple[float, ...]) -> float:
    return (values[1] - values[0]) / 2


def _range(values: tuple[float, ...]) -> list[float]:
    return [values[0] - _half(values), values[-1] + _half(values)]


def _data(panel: Panel) -> list[dict[str, float]]:
    """Each point of the grid as the rectangle around it."""
    dx, dy = _half(panel.x), _half(panel.y)
    return [
        {"x": x - dx, "x2": x + dx, "y": y - dy, "y2": y + dy, "loss": max(loss, LOWEST) if np.isfinite(loss) else 1e9}
        for y, row in zip(panel.y, panel.loss, strict=True)
        for x, loss in zip(panel.x, row, strict=True)
    ]
