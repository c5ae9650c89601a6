"""The range test of the learning rate: the loss against the rising rate, with what each rule suggests."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
from batchlab import range_test as core

from batchlab_api.plots import range_test_chart, words
from batchlab_api.plots.curves import Floats, floats
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

POINTS = 10_000
"""Updates of a run at the most: a rule needs every one of them."""
DRAWN = 200
BEYOND_START = 1.15
"""A figure ends at this many times the highest loss of the first quarter."""
PEAK = "accuracy peak"
"""The rule of Smith 2017 for the upper bound of a cycle; the lower is a third of it."""


@dataclass(frozen=True)
class Course:
    """The loss at one point of the sweep against the rate, the median over seeds; arrays have shape (points,)."""

    batch: str
    panel: str
    n: int
    rates: Floats
    losses: Floats
    """Smoothed; cut where the first of the seeds ended, and where they rise beyond `top` after their minimum."""
    top: float
    """Where a figure ends: a little above the start."""
    suggestions: dict[str, float]
    """Medians over seeds."""


@dataclass(frozen=True)
class RangeTests:
    """All that the plot shows."""

    title: str
    lines: tuple[str, ...]
    batches: tuple[str, ...]
    panels: tuple[str, ...]
    courses: tuple[Course, ...]


class RangeTestPlot(Plot[RangeTests]):
    """The U of the range test by batch size and variant, its suggestions marked."""

    name = "lr-range-test"
    title = "Range test: loss against a rising rate"
    description = "Smoothed loss against the rate of the update, the rates that several rules read off it marked."

    def applies(self, experiment: Row) -> bool:
        spec = experiment["spec"]
        asked = [spec, *(spec.get("variants") or ())]
        return "loss" in experiment["metrics"] and any(
            (arm.get("schedule") or {}).get("kind") == "range_test" for arm in asked
        )

    def numbers(self, source: Source) -> RangeTests:
        read = source.curves(["loss", "lr", "val_accuracy"], POINTS, "step", "cell")
        found = [course for (panel, size), runs in _by_point(read) if (course := _course(panel, size, runs))]
        factors = [f for course in found if (f := core.agreement(course.suggestions)) is not None]
        apart = f"suggestions lie within a factor of {words.number(10 ** max(factors), 2)}" if factors else ""
        most = max((course.n for course in found), default=0)
        beyond = sum(rate > course.rates[-1] for course in found for rate in course.suggestions.values())
        outside = f"{words.several(beyond, 'suggestion')} beyond the rise not shown" if beyond else ""
        note = f"medians over {words.several(most, 'seed')}" if most > 1 else ""
        return RangeTests(
            self.title,
            (words.setting(source), *filter(None, [note, apart, outside]), *words.missing(source.cells)),
            tuple(dict.fromkeys(course.batch for course in found)),
            tuple(dict.fromkeys(course.panel for course in found)),
            tuple(found),
        )

    def chart(self, numbers: RangeTests, options: Options) -> alt.TopLevelMixin:
        return range_test_chart.draw(numbers, self.summary(numbers), options)

    def summary(self, numbers: RangeTests) -> str:
        parts = [
            f"{words.joined(c.panel, c.batch)}: {words.joined(*(f'{k} {words.number(v, 2)}' for k, v in s.items()))}"
            for c in numbers.courses
            if (s := c.suggestions)
        ]
        return f"{numbers.title}. {'; '.join(parts) or 'No rule finds a rate'}."

    def rows(self, numbers: RangeTests) -> list[dict[str, Any]]:
        return [
            {"panel": c.panel, "batch": c.batch, "n": c.n, "rule": rule, "lr": rate}
            for c in numbers.courses
            for rule, rate in c.suggestions.items()
        ]


Run = dict[str, Row]
"""The series of one cell by metric."""


def _by_point(read: Sequence[Row]) -> list[tuple[tuple[str, int], list[Run]]]:
    """The runs of each variant and batch size, seed by seed."""
    cells: dict[tuple[str, int], dict[str, Run]] = defaultdict(lambda: defaultdict(dict))
    for series in read:
        cells[str(series["variant"] or ""), series["batch_size"]][series["cell"]][series["metric"]] = series
    return [(point, list(runs.values())) for point, runs in cells.items()]


def _course(panel: str, size: int, runs: Sequence[Run]) -> Course | None:
    whole = [run for run in runs if {"loss", "lr"} <= run.keys()]
    tests = [core.range_test(floats(run["lr"]["mean"]), floats(run["loss"]["mean"])) for run in whole]
    shortest = min((len(test.rates) for test in tests), default=0)
    if shortest < 2:
        return None
    losses = np.median([test.smoothed[:shortest] for test in tests], axis=0)
    drawn = np.unique(np.linspace(0, shortest - 1, min(DRAWN, shortest)).round().astype(int))
    suggestions = core.over_seeds(tests) | _peak(whole)
    top = BEYOND_START * float(losses[: max(2, shortest // 4)].max())
    drawn = drawn[: _risen(losses[drawn], top)]
    return Course(f"batch {size}", panel, len(tests), tests[0].rates[drawn], losses[drawn], top, suggestions)


def _risen(losses: Floats, top: float) -> int:
    """How many points there are up to the first beyond the top: what came back later would look like a second curve."""
    lowest = int(losses.argmin())
    above = np.flatnonzero(losses[lowest:] > top)
    return lowest + int(above[0]) + 1 if above.size else len(losses)


def _peak(runs: Sequence[Run]) -> dict[str, float]:
    """The median over seeds of the rate at the highest validation accuracy."""
    tops = []
    for run in runs:
        if "val_accuracy" in run:
            at = floats(run["val_accuracy"]["x"])
            rates = np.interp(at, floats(run["lr"]["x"]), floats(run["lr"]["mean"]))
            found = core.bounds(rates, floats(run["val_accuracy"]["mean"]))
            tops += [] if found is None else [found[1]]
    return {PEAK: float(np.median(tops))} if tops else {}
