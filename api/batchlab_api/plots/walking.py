"""The plots that follow the parameters of small models: paths, what steps are made of, and when runs leave."""

from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import lines, lines_chart, paths, paths_chart
from batchlab_api.plots.arms import arms, point_of
from batchlab_api.plots.curves import Floats
from batchlab_api.plots.lines import Line, Lines
from batchlab_api.plots.options import Options
from batchlab_api.plots.paths import Paths, Walk
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source
from batchlab_api.plots.words import several
from batchlab_api.plots.worked import WorkedExample

STEPS = 8
"""Updates whose parts are drawn: more arrows hide each other."""
MOST_MOMENTUM = 0.9
"""The largest momentum whose steps are drawn, where there are several."""


class _WalkPlot(Plot[Paths]):
    def summary(self, numbers: Paths) -> str:
        return paths.sentence(numbers)

    def rows(self, numbers: Paths) -> list[dict[str, Any]]:
        return paths.table(numbers)


class PathsPlot(_WalkPlot):
    """Where two parameters go, over the contour lines of the loss."""

    name = "paths"
    title = "Paths over the loss"
    description = "The two parameters of a model before every update, over the contour lines of its loss."

    def applies(self, experiment: Row) -> bool:
        return len(paths.parameters(experiment)) == 2

    def numbers(self, source: Source) -> Paths:
        walks, places = paths.read(source)
        seed = f"seed {walks[0].cell.seed}; ring: start, disc: end" if walks else ""
        return paths.collect(source, self.title, walks, places, seed)

    def chart(self, numbers: Paths, options: Options) -> alt.TopLevelMixin:
        return paths_chart.draw_paths(numbers, options)


class StepPartsPlot(_WalkPlot):
    """The first steps of a descent with momentum, each drawn as the sum of its parts."""

    name = "step-parts"
    title = "What each step is made of"
    description = "The first steps as arrows: minus rate times gradient, what momentum keeps, and their sum, the step."

    def applies(self, experiment: Row) -> bool:
        names = paths.parameters(experiment)
        return len(names) == 2 and f"gradient_step/{names[0]}" in experiment["metrics"]

    def numbers(self, source: Source) -> Paths:
        walks, places = paths.read(source, STEPS, parts=True)
        chosen = [max(group, key=_rank) for group in _by_panel(walks).values()]
        momenta = sorted({walk.cell.momentum or 0.0 for walk in chosen})
        note = (
            f"the first {several(STEPS, 'update')}, momentum {', '.join(f'{m:g}' for m in momenta)}" if chosen else ""
        )
        return paths.collect(source, self.title, chosen, places, note)

    def chart(self, numbers: Paths, options: Options) -> alt.TopLevelMixin:
        return paths_chart.draw_parts(numbers, options)


def _by_panel(walks: list[Walk]) -> dict[str, list[Walk]]:
    found: dict[str, list[Walk]] = {}
    for walk in walks:
        found.setdefault(walk.panel, []).append(walk)
    return found


def _rank(walk: Walk) -> float:
    momentum = walk.cell.momentum or 0.0
    return momentum if momentum <= MOST_MOMENTUM else -momentum


class EscapeTimesPlot(Plot[Lines]):
    """How many runs have left the neighbourhood of their start, update by update."""

    name = "escape-times"
    title = "Runs that have left their start"
    description = "The share of seeds whose distance from the start has exceeded the radius of the probe `distance`."

    def applies(self, experiment: Row) -> bool:
        return "distance" in experiment["metrics"] and _has_radius(experiment["spec"])

    def numbers(self, source: Source) -> Lines:
        ended = [cell for cell in source.cells if "escape_step" in (cell["result"] or {})]
        groups: dict[str, list[Row]] = {}
        for cell in ended:
            groups.setdefault(str(point_of(cell)), []).append(cell)
        places = arms([point_of(cells[0]) for cells in groups.values()], along="")
        found = [_share(cells, *places.place(point_of(cells[0]))) for cells in groups.values()]
        counts = sorted({line.n for line in found})
        note = f"{several(counts[-1], 'seed')} for each line" if counts else ""
        return lines.frame(source, self.title, "fraction", "step", places=places, found=found, note=note)

    def chart(self, numbers: Lines, options: Options) -> alt.TopLevelMixin:
        return lines_chart.draw(numbers, "Share of runs", options)

    def summary(self, numbers: Lines) -> str:
        return lines.sentence(numbers)

    def rows(self, numbers: Lines) -> list[dict[str, Any]]:
        return lines.table(numbers)


def _has_radius(spec: Row) -> bool:
    arms_of = [spec, *(spec.get("variants") or ())]
    return any(probe.get("radius") for arm in arms_of for probe in arm.get("probes") or ())


def _share(cells: list[Row], colour: str, panel: str) -> Line:
    """A staircase: it rises where a run leaves, and ends with the longest run."""
    last = max(int(cell["result"]["updates"]) for cell in cells)
    times = sorted(step for cell in cells if (step := cell["result"]["escape_step"]) is not None)
    shares = np.arange(len(times) + 1) / len(cells)
    x = np.repeat([*map(float, times), float(last)], 2)
    stairs: Floats = np.concatenate([[0.0], x[:-1]])
    y = np.repeat(shares, 2)
    return Line(colour, panel, len(cells), stairs, y, y, y, None)


PLOTS: tuple[Plot[Any], ...] = (PathsPlot(), StepPartsPlot(), EscapeTimesPlot(), WorkedExample())
