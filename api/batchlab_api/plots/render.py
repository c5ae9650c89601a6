"""Renders charts to files, offline, by vl-convert (Vega and Lite in a V8 of its own; no browser).

vl-convert may be called from any thread: calls wait for one another inside it, and each holds the interpreter until
its picture is ready. So the work of one call is bounded by the number of marks, and by nothing else.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args

import altair as alt
import vl_convert

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
VEGA_LITE = "6.4"
"""The version of Vega-Lite that both Altair's schema and the renderer have."""
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


def render(chart: alt.TopLevelMixin, format: Format, options: Options) -> tuple[bytes, str]:
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
    return _encode(spec, format, options), MEDIA_TYPES[format]


def use_fonts(folder: Path) -> None:
    """Let pictures use the fonts of this folder too, beside those of the system and the renderer's own."""
    vl_convert.register_font_directory(str(folder.resolve()))


def _encode(spec: dict[str, Any], format: Format, options: Options) -> bytes:
    offline: dict[str, Any] = {"vl_version": VEGA_LITE, "allowed_base_urls": []}
    if format == "svg":
        return vl_convert.vegalite_to_svg(spec, **offline).encode()
    if format == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=options.scale, **offline))
    if format == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec, **offline))
    if format == "html":
        return _page(spec).encode()
    return json.dumps(spec, allow_nan=False, ensure_ascii=False).encode()


def _page(spec: dict[str, Any]) -> str:
    """One page with everything in it. The chart's own texts are the user's: none of them can end the script."""
    title = spec["title"]["text"]
    return PAGE.format(
        title=escape(" ".join(title) if isinstance(title, list) else title),
        description=escape(spec["description"]),
        background=spec["config"]["background"],
        bundle=_bundle(),
        spec=json.dumps(spec, allow_nan=False).replace("<", "\\u003c"),
    )


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that defines `vegaEmbed`."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for item in value:
        yield from _leaves(item)
