"""Draws Vega-Lite charts as pictures by vl-convert, in a process of its own.

A renderer holds Python's interpreter lock until its picture is ready, up to seconds: within the server it would stop
every other answer. A process of its own can also be ended when it takes too long.
"""

import json
import subprocess
import sys
from typing import Any, Literal

Picture = Literal["svg", "png", "pdf"]
VEGA_LITE = "6.4"
"""The version of Vega-Lite that both Altair's schema and the renderer have."""
SECONDS = 30.0


class DrawingFailed(Exception):
    """The renderer failed; the text is what it said."""


class DrawingTooSlow(Exception):
    """The renderer took too long and was ended."""


def draw(spec: dict[str, Any], format: Picture, scale: float = 1.0) -> bytes:
    """The chart as a picture; `scale` is a png's pixels for each CSS pixel. Nothing is fetched from a network."""
    import vl_convert

    offline: dict[str, Any] = {"vl_version": VEGA_LITE, "allowed_base_urls": []}
    if format == "svg":
        return vl_convert.vegalite_to_svg(spec, **offline).encode()
    if format == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=scale, **offline))
    return bytes(vl_convert.vegalite_to_pdf(spec, **offline))


def draw_apart(spec: dict[str, Any], format: Picture, scale: float = 1.0, seconds: float = SECONDS) -> bytes:
    """As `draw`, in a process of its own. Raises DrawingFailed or DrawingTooSlow."""
    asked = json.dumps({"spec": spec, "format": format, "scale": scale}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "batchlab_api.draw"], input=asked, capture_output=True, timeout=seconds, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise DrawingTooSlow(f"not drawn within {seconds:g} s: try again, or plot fewer cells") from error
    except subprocess.CalledProcessError as error:
        raise DrawingFailed(error.stderr.decode(errors="replace")[-2000:]) from error
    return done.stdout


if __name__ == "__main__":
    sys.stdout.buffer.write(draw(**json.load(sys.stdin.buffer)))
