"""Draws losses over planes: bands of the logarithm in shared colours, with solutions and ways over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from batchlab_api.plots import contours, frame, theme, words
from batchlab_api.plots.options import Options

Floats = NDArray[np.float64]
Range = tuple[float, float]
BANDS = 10
COLUMNS = 4
LOWEST = 1e-4
"""Losses below this count as this, on the log scale."""
FINE = 40
"""Squares along each side, about, between which contour lines are drawn."""


@dataclass(frozen=True)
class Panel:
    """The plane of one place in the sweep: `loss` by y and x, and the points that are marked in it."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]
    marks: tuple[tuple[float, ...], ...] = ((0.0, 0.0),)
    way: bool = False
    """Whether the marks are a way, from the first to the last."""


def draw(panels: Sequence[Panel], within: Range, axes: tuple[str, str], options: Options) -> Any:
    """A panel for each plane, in rows."""
    columns = min(len(panels), 2 if options.narrow else COLUMNS)
    side = frame.panel_width(options, columns, 34 * columns, 0 if options.narrow else 70)
    charts = []
    for i, panel in enumerate(panels):
        titles = axes[0] if i >= len(panels) - columns else None, axes[1] if i % columns == 0 else None
        layers = [*_bands(panel, within, titles, options), *_marks(panel)]
        charts.append(alt.layer(*layers).properties(width=side, height=side, title=heading(panel.name, side)))
    return alt.concat(*charts, columns=columns, spacing=frame.SPACING).resolve_scale(color="shared")


def colours(within: Range) -> alt.Scale:
    """A colour for each band of the logarithm."""
    edges = np.geomspace(*within, BANDS + 1)[1:-1]
    return alt.Scale(type="threshold", domain=edges.tolist(), scheme="viridis")


def legend(options: Options) -> alt.Legend:
    """The bands beside the panels, or below them."""
    look: dict[str, Any] = {"symbolType": "square", "symbolSize": 110, "symbolStrokeWidth": 0, "symbolOpacity": 1}
    return alt.Legend(orient="bottom" if options.narrow else "right", format=".2g", **look)


def heading(name: str, side: float) -> alt.TitleParams:
    """The name of a panel above it."""
    lines = words.wrap([name], max(10, int(side / frame.SMALL)))
    return alt.TitleParams(lines, fontSize=11, fontWeight="normal", offset=4)


def _bands(panel: Panel, within: Range, titles: tuple[str | None, str | None], options: Options) -> list[alt.Chart]:
    """The bands, with the axes' titles where they have any: the larger ones first, what lies in them over them."""
    axis = alt.Axis(tickCount=3, grid=False)
    across, up = (alt.Scale(domain=[v[0], v[-1]], nice=False) for v in (panel.x, panel.y))
    x = alt.X("x:Q", title=titles[0], axis=axis, scale=across)
    y = alt.Y("y:Q", title=titles[1], axis=axis, scale=up)
    scale = colours(within)
    fill = alt.Fill("loss:Q", title="Training loss", scale=scale, legend=legend(options))
    line = alt.Stroke("loss:Q", scale=scale, legend=None)  # else the page shines through between two bands
    base = alt.Chart(frame.rows(regions(panel, within)))
    drawn = base.mark_line(strokeWidth=0.4, interpolate="linear-closed", clip=True)
    return [drawn.encode(x=x, y=y, fill=fill, stroke=line, detail="i:Q", order="k:Q")]


def _marks(panel: Panel) -> list[alt.Chart]:
    """The solutions as crosses; a way as a line, which ends in one."""
    light, ink = theme.BACKGROUND["light"], theme.INK["light"]
    points = [{"x": x, "y": y, "i": i} for i, (x, y) in enumerate(panel.marks)]
    ends = points[-1:] if panel.way else points
    looks: dict[str, Any] = {"shape": "cross", "size": 45, "filled": True, "color": light, "stroke": ink, "opacity": 1}
    crosses = alt.Chart(frame.rows(ends)).mark_point(**looks).encode(x="x:Q", y="y:Q")
    if not panel.way:
        return [crosses]
    way = alt.Chart(frame.rows(points)).encode(x="x:Q", y="y:Q", order="i:Q")
    return [
        way.mark_line(color=light, strokeWidth=2.6),
        way.mark_line(color=ink, strokeWidth=1.2, point={"size": 9, "color": ink, "opacity": 1}),
        crosses,
    ]


def regions(panel: Panel, within: Range) -> list[dict[str, float]]:
    """The corners of the regions to be painted over each other (`i` their number, `k` the corner's, `loss` their band).

    The first is the whole panel, in the uppermost band. The others are what closed contour lines enclose, the larger
    first, in the band just inside the line. A rim of large values beyond the panel closes every line.
    """
    x, y = (_finer(np.array(values)) for values in (panel.x, panel.y))
    logs = finer(panel, within, x, y)
    edges = np.log(np.geomspace(*within, BANDS + 1))
    high = edges[-1] + (edges[-1] - edges[0])
    rim = np.pad(logs, 1, constant_values=high)
    wide = [np.concatenate([[2 * v[0] - v[1]], v, [2 * v[-1] - v[-2]]]) for v in (x, y)]
    corners = np.array([(x[0], y[0]), (x[-1], y[0]), (x[-1], y[-1]), (x[0], y[-1])])
    middles = np.exp((edges[:-1] + edges[1:]) / 2)
    painted = [(np.inf, corners, float(middles[-1]))]
    grid = np.stack([*np.meshgrid(*wide), rim], axis=-1)
    for band, level in enumerate(edges[1:-1]):
        for line in contours.chained(contours.crossings(contours.triangles(grid), level)):
            lower = _inside_is_lower(line, wide, rim, level)
            painted.append((_area(line), line[:-1], float(middles[band if lower else band + 1])))
    painted.sort(key=lambda one: -one[0])
    return [
        {"i": i, "k": k, "x": _short(px), "y": _short(py), "loss": _short(loss)}
        for i, (_, line, loss) in enumerate(painted)
        for k, (px, py) in enumerate(line)
    ]


def _inside_is_lower(line: Floats, wide: list[Floats], rim: Floats, level: float) -> bool:
    """Whether the loss just inside a closed contour line is below its level: by the nearest grid point inside it."""
    start = line[0]
    i, j = (int(np.clip(np.searchsorted(axis, v) - 1, 0, len(axis) - 2)) for axis, v in zip(wide, start, strict=True))
    columns, rows = (range(max(at - 1, 0), min(at + 3, len(axis))) for at, axis in zip((i, j), wide, strict=True))
    near = [(a, b) for a in columns for b in rows]
    steps = [axis[1] - axis[0] for axis in wide]
    near.sort(key=lambda at: sum(((wide[d][at[d]] - start[d]) / steps[d]) ** 2 for d in (0, 1)))
    inside = next((at for at in near if _holds(line, wide[0][at[0]], wide[1][at[1]])), None)
    return inside is None or bool(rim[inside[1], inside[0]] <= level)


def _holds(line: Floats, x: float, y: float) -> bool:
    """Whether a closed line goes around a point: a ray from it crosses the line an odd number of times."""
    (x0, y0), (x1, y1) = line[:-1].T, line[1:].T
    over = (y0 > y) != (y1 > y)
    with np.errstate(all="ignore"):
        at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return bool((over & (at > x)).sum() % 2)


def _area(line: Floats) -> float:
    (x0, y0), (x1, y1) = line[:-1].T, line[1:].T
    return abs(float((x0 * y1 - x1 * y0).sum())) / 2


def finer(panel: Panel, within: Range, x: Floats, y: Floats) -> Floats:
    """The logarithm of the loss at these places, (y, x), between the grid's points by straight lines."""
    losses = np.array(panel.loss, np.float64)
    logs = np.log(np.clip(np.where(np.isfinite(losses), losses, within[1]), max(within[0], LOWEST), within[1]))
    along = np.stack([np.interp(x, panel.x, row) for row in logs])
    return np.stack([np.interp(y, panel.y, column) for column in along.T], axis=1)


def _finer(values: Floats) -> Floats:
    """The same range with each gap divided, into about so many places in all."""
    parts = max(1, round(FINE / (len(values) - 1)))
    return np.linspace(values[0], values[-1], (len(values) - 1) * parts + 1)


def _short(value: float) -> float:
    """Five digits are enough for a picture."""
    return float(f"{value:.5g}")
