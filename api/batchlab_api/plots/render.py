"""Renders charts to files, offline, by vl-convert (Vega and Lite in a V8 of its own; no browser).

The work of one picture is bounded by the number of its marks, and by nothing else; see `batchlab_api.draw` for where it
is done.
"""

import json
import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, Literal, get_args

import altair as alt

from batchlab_api.dashboard import vega_bundle
from batchlab_api.draw import Picture, draw
from batchlab_api.plots import theme
from batchlab_api.plots.options import Options

Format = Literal["svg", "png", "pdf", "html", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[Format, str] = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "json": "application/vnd.vegalite.v6+json",
}
Drawer = Callable[[dict[str, Any], Picture, float], bytes]
"""(chart, format, scale) -> picture: `draw`, or `draw_apart` where nothing else may wait for it."""
MAX_VALUES = 200_000
"""Numbers and texts in a chart's data; a larger one would hold the interpreter for seconds."""
CJK = re.compile("[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
"""Characters that a Latin font lacks."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>body {{ margin: 1rem; background: {background}; }}</style>
</head>
<body>
<figure id="plot" role="img" aria-label="{description}"></figure>
<script>{bundle}</script>
<script>vegaEmbed("#plot", {spec}, {{"renderer": "svg", "ast": true, "mode": "vega-lite"}});</script>
</body>
</html>
"""


class PlotTooLarge(Exception):
    """The chart has more data than a picture can show."""


def render(chart: alt.TopLevelMixin, format: Format, options: Options, drawer: Drawer = draw) -> tuple[bytes, str]:
    """The chart as a file and its media type. Raises PlotTooLarge above MAX_VALUES.

    svg and pdf are vector pictures, png has `options.scale` pixels for each CSS pixel, html is one page that works
    without a network, json is the Vega-Lite chart itself.
    """
    spec = chart.to_dict()
    count = sum(1 for _ in _leaves([spec.get("datasets"), spec.get("data")]))
    if count > MAX_VALUES:
        raise PlotTooLarge(f"the plot has {count} values and a picture at most {MAX_VALUES}: plot fewer cells")
    if CJK.search(json.dumps(spec, ensure_ascii=False)):
        spec["config"]["font"] = theme.FONT_CJK
    return _encode(spec, format, options, drawer), MEDIA_TYPES[format]


def _encode(spec: dict[str, Any], format: Format, options: Options, drawer: Drawer) -> bytes:
    if format == "html":
        return _page(spec).encode()
    if format == "json":
        return json.dumps(spec, allow_nan=False, ensure_ascii=False).encode()
    return drawer(spec, format, options.scale)


def _page(spec: dict[str, Any]) -> str:
    """One page with everything in it. The chart's own texts are the user's: none of them can end the script."""
    title = spec.get("title", {}).get("text", "batchlab")
    return PAGE.format(
        title=escape(" ".join(title) if isinstance(title, list) else title),
        description=escape(spec["description"]),
        background=spec["config"]["background"],
        bundle=vega_bundle().plain.decode(),
        spec=json.dumps(spec, allow_nan=False).replace("<", "\\u003c"),
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for item in value:
        yield from _leaves(item)
