"""The small picture of a study that a gallery shows: one of its plots, bare, for light and for dark pages."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from batchlab_client import Client

WIDTH, HEIGHT = 480, 150
"""Of the picture, and of a panel in it."""
MOST_BYTES = 80_000
"""A gallery shows thirty pictures."""
LEAST_RATIO = 1.1
"""Width over height: a tall plot of many panels says nothing on a card."""
OTHERS = (
    *("val-loss-over-epochs", "loss-over-epochs", "final-loss-by-variant", "accuracy-by-variant", "loss-curves"),
    "lr-batch-accuracy-map",
)
"""Plots that serve where none of the study's own fits, in order of preference."""
SIZE = re.compile(rb'<svg[^>]* width="([\d.]+)" height="([\d.]+)"')
EMPTY = b"Nothing to show"


def save(client: Client, id: str, plots: Sequence[str], folder: Path) -> None:
    """Save the first plot that fits a card, if there is one."""
    for plot in _candidates(client, id, plots):
        if fits(light := _drawn(client, id, plot, "light")):
            (folder / "picture.light.svg").write_bytes(light)
            (folder / "picture.dark.svg").write_bytes(_drawn(client, id, plot, "dark"))
            return


def fits(picture: bytes) -> bool:
    """Whether an SVG is small, wide, and shows something."""
    found = SIZE.search(picture)
    wide = found is not None and float(found[1]) >= LEAST_RATIO * float(found[2])
    return wide and len(picture) <= MOST_BYTES and EMPTY not in picture


def _candidates(client: Client, id: str, plots: Sequence[str]) -> Iterator[str]:
    yield from plots
    offered = {plot.name for plot in client.plots(id)}
    yield from (name for name in OTHERS if name in offered and name not in plots)


def _drawn(client: Client, id: str, plot: str, theme: str) -> bytes:
    return client.plot(id, plot, "svg", width=WIDTH, height=HEIGHT, bare="true", theme=theme)
