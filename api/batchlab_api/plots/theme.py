"""Colours, dashes, shapes and type of the plots, on white and on dark.

Batch sizes (and other numbers) take an ordered ramp whose lightness is monotonic, so that their order survives a grey
print; names take a set of distinct colours. Every colour has a contrast of at least 3:1 with its background, and a dash
or a marker says the same a second time.
"""

from typing import Any, Literal

Theme = Literal["light", "dark"]

BACKGROUND: dict[Theme, str] = {"light": "#ffffff", "dark": "#16181d"}
INK: dict[Theme, str] = {"light": "#1a1c20", "dark": "#e8eaed"}
FAINT: dict[Theme, str] = {"light": "#55595f", "dark": "#a9aeb6"}
GRID: dict[Theme, str] = {"light": "#e4e6ea", "dark": "#2d3138"}
GHOST: dict[Theme, str] = {"light": "#b9bdc4", "dark": "#5a606a"}
"""Curves in the background."""
RAMP: dict[Theme, tuple[str, ...]] = {
    "light": ("#0d0887", "#46039f", "#7201a8", "#9c179e", "#bd3786", "#d8576b", "#e3685f"),
    "dark": ("#f0f921", "#fdca26", "#fb9f3a", "#ed7953", "#d8576b", "#c9457c"),
}
"""Anchors of the ordered ramp: matplotlib's plasma, cut where it meets 3:1 with the background."""
NAMES: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072b2", "#d55e00", "#007a59", "#b4568a", "#a87000", "#2e86c1", "#000000"),
    "dark": ("#56b4e9", "#e69f00", "#2cc295", "#f0e442", "#ff8a3d", "#e59ac4", "#ffffff"),
}
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (7, 3), (2, 2), (8, 3, 2, 3), (4, 2), (12, 3))
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The renderer brings Liberation Sans with it, so a picture is the same on every machine; Arial has its widths."""
FONT_CJK = "Noto Sans CJK SC, Liberation Sans, sans-serif"
"""For charts with Chinese, Japanese or Korean: one family for a whole text, since a fallback may well have serifs."""


def ramp(count: int, theme: Theme) -> list[str]:
    """`count` colours evenly spaced along the ordered ramp, as #rrggbb."""
    anchors = RAMP[theme]
    spots = [i * (len(anchors) - 1) / max(count - 1, 1) for i in range(count)]
    return [_between(anchors[int(s)], anchors[min(int(s) + 1, len(anchors) - 1)], s % 1) for s in spots]


def names(count: int, theme: Theme) -> list[str]:
    """`count` distinct colours; they repeat after seven, where dash and marker still differ."""
    return [NAMES[theme][i % len(NAMES[theme])] for i in range(count)]


def dashes(count: int) -> list[list[int]]:
    """A dash pattern for each of `count` lines, in pixels on and off."""
    return [list(DASHES[i % len(DASHES)]) for i in range(count)]


def shapes(count: int) -> list[str]:
    """A marker for each of `count` lines."""
    return [SHAPES[i % len(SHAPES)] for i in range(count)]


def config(theme: Theme) -> dict[str, Any]:
    """The Vega-Lite config of a theme."""
    ink, faint = INK[theme], FAINT[theme]
    return {
        "background": BACKGROUND[theme],
        "font": FONT,
        "padding": 8,
        "view": {"stroke": None},
        "axis": {
            "domainColor": faint, "tickColor": faint, "gridColor": GRID[theme], "labelColor": ink, "titleColor": ink,
            "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 6,
        },
        "legend": {
            "labelColor": ink, "titleColor": ink, "labelFontSize": 11, "titleFontSize": 11,
            "titleFontWeight": "normal", "symbolStrokeWidth": 1, "symbolSize": 60, "labelLimit": 240,
        },
        "header": {
            "labelColor": ink, "titleColor": ink, "labelFontSize": 11, "titleFontSize": 12, "labelPadding": 4,
            "labelFontWeight": "normal", "titleFontWeight": "normal", "labelLimit": 320,
        },
        "title": {
            "anchor": "start", "frame": "group", "color": ink, "subtitleColor": faint, "fontSize": 14,
            "fontWeight": "bold", "subtitleFontSize": 11, "subtitlePadding": 4, "subtitleLineHeight": 14, "offset": 10,
        },
    }  # fmt: skip


def _rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _between(one: str, other: str, share: float) -> str:
    mixed = [round(255 * (a + (b - a) * share)) for a, b in zip(_rgb(one), _rgb(other), strict=True)]
    return "#" + "".join(f"{value:02x}" for value in mixed)
