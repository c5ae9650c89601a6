"""Draws losses over planes as surfaces, seen from a corner: the logarithm of the loss is the height."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import axes as ticks_of
from batchlab_api.plots import frame, theme, words
from batchlab_api.plots.bands import Floats, Panel, Range, colours, finer, heading, legend
from batchlab_api.plots.options import Options

COLUMNS = 2
MOST_SQUARES = 40
"""Along each side of a surface."""
ACROSS, DEEP, HIGH = 0.5, 0.25, 0.85
"""A step along either direction goes so far to the side and to the back; the whole height goes so far up."""


def draw(panels: Sequence[Panel], within: Range, axes: tuple[str, str], options: Options) -> Any:
    """A surface for each plane, on one scale of height and colour."""
    columns = 1 if options.narrow else min(len(panels), COLUMNS)
    side = frame.panel_width(options, columns, 34 * columns, 0 if options.narrow else 70)
    charts = [_surface(panel, side, within, axes, options) for panel in panels]
    return alt.concat(*charts, columns=columns, spacing=frame.SPACING).resolve_scale(color="shared")


def _surface(panel: Panel, side: int, within: Range, axes: tuple[str, str], options: Options) -> Any:
    height = int(side * (2 * DEEP + HIGH) * 0.8)
    colour = alt.Fill("loss:Q", title="Training loss", scale=colours(within), legend=legend(options))
    squares = alt.Chart(frame.rows(squares_of(panel, within))).mark_line(
        strokeWidth=0.35, stroke=theme.INK["light"], strokeJoin="round", interpolate="linear-closed"
    )
    drawn = squares.encode(**_place(), fill=colour, detail="i:Q", order="k:Q")
    return alt.layer(*_frame(within, axes, options), drawn).properties(
        width=side, height=height, title=heading(panel.name, side)
    )


def _place() -> dict[str, Any]:
    """Places in the picture, as `seen` gives them, without axes."""
    ends = {"x": [-0.22, 1.0], "y": [-0.1, 2 * DEEP + HIGH]}
    channels = {"x": alt.X, "y": alt.Y}
    return {
        name: channel(f"{name}:Q", axis=None, scale=alt.Scale(domain=ends[name], nice=False))
        for name, channel in channels.items()
    }


def seen(x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Where a point of the unit cube lies in the picture: x goes to the right and back, y to the left and back."""
    return ACROSS + ACROSS * (x - y), DEEP * (x + y) + HIGH * z


def squares_of(panel: Panel, within: Range) -> list[dict[str, float]]:
    """The corners of the surface's squares, those at the back first: what comes later hides them."""
    count = min(MOST_SQUARES, len(panel.x) - 1)
    at = [np.linspace(values[0], values[-1], count + 1) for values in (panel.x, panel.y)]
    low, high = np.log(within[0]), np.log(within[1])
    logs = finer(panel, within, *at)
    unit = np.linspace(0.0, 1.0, count + 1)
    across, up = seen(unit[None, :], unit[:, None], (logs - low) / (high - low))
    order = sorted(((j, i) for j in range(count) for i in range(count)), key=lambda place: -sum(place))
    found = []
    for number, (j, i) in enumerate(order):
        corners = [(j, i), (j, i + 1), (j + 1, i + 1), (j + 1, i)]
        loss = float(np.exp(np.mean([logs[corner] for corner in corners])))
        found += [
            {"i": number, "k": k, "x": round(float(across[c]), 4), "y": round(float(up[c]), 4),
             "loss": float(f"{loss:.4g}")}
            for k, c in enumerate(corners)
        ]  # fmt: skip
    return found


def _frame(within: Range, axes: tuple[str, str], options: Options) -> list[alt.Chart]:
    """The edges of the floor and a scale of the height at the left, with the names of both directions."""
    faint, ink = theme.FAINT[options.theme], theme.INK[options.theme]
    floor = [{"x": ACROSS + ACROSS * (x - y), "y": DEEP * (x + y), "k": k}
             for k, (x, y) in enumerate([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])]  # fmt: skip
    left = {"x": 0.0, "y": DEEP}
    low, high = np.log(within[0]), np.log(within[1])
    marks = [
        {"x": left["x"], "y": left["y"] + HIGH * float((np.log(v) - low) / (high - low)), "text": words.number(v, 2)}
        for v in ticks_of.log_ticks(*within, 5)
    ]
    upright = [{**left, "k": 0}, {**left, "y": left["y"] + HIGH, "k": 1}]
    shown, place = alt.Chart(frame.rows(marks)), _place()
    names = [{"x": 0.78, "y": 0.06, "text": axes[0]}, {"x": 0.22, "y": 0.06, "text": axes[1]}]
    return [
        *(
            alt.Chart(frame.rows(points)).mark_line(color=faint, strokeWidth=0.8).encode(**place, order="k:Q")
            for points in (floor, upright)
        ),
        shown.mark_tick(orient="horizontal", size=5, color=faint, thickness=0.8).encode(**place),
        shown.mark_text(align="right", dx=-5, fontSize=10, color=ink).encode(**place, text="text:N"),
        alt.Chart(frame.rows(names)).mark_text(fontSize=11, color=ink, baseline="top").encode(**place, text="text:N"),
    ]
