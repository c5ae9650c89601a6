"""A plot, in two steps: its numbers as plain data, then the chart that draws them."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import altair as alt
from batchlab.merging import merge

from batchlab_api.plots.options import Options
from batchlab_api.plots.source import Row, Source

Numbers = TypeVar("Numbers")


class Plot(ABC, Generic[Numbers]):
    """A plot with a stable name, which is part of its address."""

    name: str
    title: str
    description: str

    @abstractmethod
    def applies(self, experiment: Row) -> bool:
        """Whether an experiment with this spec and these metrics can have the plot at all."""

    @abstractmethod
    def numbers(self, source: Source) -> Numbers:
        """What is to be drawn, as plain data."""

    @abstractmethod
    def chart(self, numbers: Numbers, options: Options) -> alt.TopLevelMixin:
        """The Vega-Lite chart of the numbers."""

    @abstractmethod
    def summary(self, numbers: Numbers) -> str:
        """One sentence that says in words what the plot shows."""

    @abstractmethod
    def rows(self, numbers: Numbers) -> list[dict[str, Any]]:
        """The plot's data as the rows of a table: the same columns in each."""


def sweeps(experiment: Row, axis: str) -> bool:
    """Whether the spec (or one of its variants) asks for more than one value of an axis, named as in a group's `by`."""
    spec = experiment["spec"]
    if axis == "variant":
        return len(spec.get("variants") or ()) > 1
    arms: list[Row] = spec.get("variants") or [{}]
    return any(_length(merge(spec, {**arm, "variants": None}), axis) > 1 for arm in arms)


def _length(spec: Row, axis: str) -> int:
    """How many values one arm of a spec gives an axis."""
    if axis == "batch_size":
        return len(spec["batch_sizes"])
    if axis == "lr":
        rule = spec.get("lr") or {}
        return max(_count(rule.get("base")), _count(rule.get("values")))
    return _count(spec.get("momentum") if axis == "momentum" else (spec.get("optimizer") or {}).get(axis))


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple) else 1
