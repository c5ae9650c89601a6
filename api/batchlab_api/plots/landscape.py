"""The loss around solutions, over the plane of two directions; all cells on the same colours, so that they compare."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import bands, found, frame, surface, words
from batchlab_api.plots.bands import LOWEST, Panel
from batchlab_api.plots.found import Found
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

MOST_PANELS = 8


@dataclass(frozen=True)
class Landscapes:
    """All that such a plot shows."""

    title: str
    lines: tuple[str, ...]
    panels: tuple[Panel, ...]
    low: float
    high: float


@dataclass(frozen=True)
class LandscapePlot(Plot[Landscapes]):
    """One plane for each place in the sweep, of its first seed."""

    name: str
    title: str
    description: str
    kind: str
    """The analysis that is drawn."""
    axes: tuple[str, str]
    """What the two directions are."""
    rising: bool = False
    """Whether the loss is drawn as a surface over the plane; else as bands of its logarithm."""

    def applies(self, experiment: Row) -> bool:
        return found.has(experiment, self.kind)

    def numbers(self, source: Source) -> Landscapes:
        places = found.by_place([one for one in found.of_kind(source, self.kind) if "y" in one.arrays])
        firsts = {place: some[0] for place, some in list(places.items())[:MOST_PANELS]}
        panels = tuple(_panel(place, one) for place, one in firsts.items())
        values = np.array([v for panel in panels for row in panel.loss for v in row])
        finite = np.clip(values[np.isfinite(values)], LOWEST, None)
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (LOWEST, 1.0)
        subtitle = (words.setting(source), *filter(None, _notes(list(firsts.values()))))
        return Landscapes(self.title, subtitle, panels, low, max(high, 1.1 * low))

    def chart(self, numbers: Landscapes, options: Options) -> alt.TopLevelMixin:
        said = self.summary(numbers)
        if not numbers.panels:
            return frame.empty(numbers.title, numbers.lines, said, options)
        draw = surface.draw if self.rising else bands.draw
        drawn = draw(numbers.panels, (numbers.low, numbers.high), self.axes, options)
        return frame.finish(drawn, numbers.title, numbers.lines, said, options)

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
    marks = one.arrays.get("places", np.zeros((1, 2)))
    shares = [one.values[name] for name in ("explained_1", "explained_2") if name in one.values]
    note = f"explained: {' + '.join(f'{share:.0%}' for share in shares)}" if shares else ""
    name = words.joined(place, note)
    points, heights = (tuple(map(tuple, values)) for values in (marks.tolist(), loss))
    return Panel(name, tuple(x), tuple(y), heights, points, "steps" in one.arrays)


def _notes(shown: list[Found]) -> list[str]:
    """Which seed, how directions were scaled, over how many rows."""
    seeds = sorted({one.seeds[0] for one in shown if len(one.seeds) == 1})
    scaled = sorted({str(one.meta["normalise"]) for one in shown if "normalise" in one.meta})
    rows = sorted({int(one.meta["rows"]) for one in shown if "rows" in one.meta})
    return [
        words.joined(
            f"seed {seeds[0]}" if len(seeds) == 1 else "",
            f"directions scaled by {' / '.join(scaled)}" if scaled else "",
            f"losses over {words.several(rows[-1], 'row')}" if rows else "",
        )
    ]


_RANDOM = ("First direction", "Second direction")
PLOTS = (
    LandscapePlot(
        name="landscape",
        title="The loss around the solutions",
        description="Training loss in the plane of two random directions, scaled filter by filter, around the last "
        "weights.",
        kind="landscape",
        axes=_RANDOM,
    ),
    LandscapePlot(
        name="landscape-surface",
        title="The loss around the solutions, as a surface",
        description="Training loss, on a log scale, as a surface over the plane of two random directions.",
        kind="landscape",
        axes=_RANDOM,
        rising=True,
    ),
    LandscapePlot(
        name="trajectory",
        title="The way of training over the loss",
        description="The checkpoints of a cell in the plane of their first two principal components, over the training "
        "loss in that plane.",
        kind="trajectory",
        axes=("First principal component", "Second principal component"),
    ),
    LandscapePlot(
        name="plane",
        title="The loss in the plane through three solutions",
        description="Training loss in the plane that three trained cells span, with where they lie.",
        kind="plane",
        axes=("From the first towards the second", "Towards the third"),
    ),
)
