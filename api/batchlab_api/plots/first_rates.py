"""Training losses by first rate, each curve with its class: slow, good, plateau, divergence."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from batchlab.initial_rate import classify

from batchlab_api.plots import lines, lines_chart, words
from batchlab_api.plots.arms import Arms, key
from batchlab_api.plots.curves import floats
from batchlab_api.plots.lines import Line, Lines
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot, sweeps
from batchlab_api.plots.source import Row, Source

POINTS = 400
BEYOND = 3.0
"""Curves are cut at this many times the loss at the start."""


class FirstRates(Plot[Lines]):
    """The training loss over the epochs for each rate, named by its class."""

    name = "initial-lr"
    title = "What the first learning rate does"
    description = "Training loss over epochs for each rate, put into a class by how it ends and whether it still falls."

    def applies(self, experiment: Row) -> bool:
        return "train_loss" in experiment["metrics"] and sweeps(experiment, "lr")

    def numbers(self, source: Source) -> Lines:
        read = sorted(source.curves(["train_loss"], POINTS, "epoch", "cell"), key=lambda s: (s["lr"], s["seed"]))
        named = _named(read)
        merged = source.curves(["train_loss"], POINTS, "epoch", "seed")
        places = _places(named)
        found = [_line(series, named[series["lr"]]) for series in sorted(merged, key=lambda s: float(s["lr"]))]
        most = max((line.n for line in found), default=0)
        note = f"mean over {words.several(most, 'seed')}, cut at {BEYOND:g} times the loss at the start" if most else ""
        return lines.frame(source, self.title, "nats", "epoch", places=places, found=found, note=note)

    def chart(self, numbers: Lines, options: Options) -> alt.TopLevelMixin:
        return lines_chart.draw(numbers, "Training loss", options)

    def summary(self, numbers: Lines) -> str:
        return lines.sentence(numbers)

    def rows(self, numbers: Lines) -> list[dict[str, Any]]:
        return lines.table(numbers)


def _named(read: Sequence[Row]) -> dict[float, str]:
    """The label of each rate: itself, and the class that most of its runs are in."""
    classes = classify([floats(series["mean"]) for series in read]) if read else []
    votes: dict[float, Counter[str]] = {}
    for series, found in zip(read, classes, strict=True):
        votes.setdefault(series["lr"], Counter())[found] += 1
    return {lr: f"{words.number(lr)}: {votes[lr].most_common(1)[0][0]}" for lr in votes}


def _places(named: dict[float, str]) -> Arms:
    labels = tuple(named.values())
    return Arms(labels, ("",), True, {key({"lr": lr}): (label, "") for lr, label in named.items()})


def _line(series: Row, label: str) -> Line:
    """The curve up to the first value beyond the figure, which is drawn at its edge."""
    mean, x, diverged_at = floats(series["mean"]), floats(series["x"]), series["diverged_at"]
    edge = BEYOND * mean[0]
    high = np.flatnonzero(~(mean <= edge))
    shown = slice(None, int(high[0]) + 1 if high.size else None)
    drawn = np.where(mean[shown] <= edge, mean[shown], edge)
    beyond = int(high[0]) if diverged_at is None and high.size else diverged_at
    return Line(label, "", max(series.get("n") or [1]), x[shown], drawn, drawn, drawn, beyond)
