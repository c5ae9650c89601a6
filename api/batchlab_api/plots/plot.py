"""A plot, in two steps: its numbers as plain data, then the chart that draws them."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import altair as alt

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


def sweeps_batch(experiment: Row) -> bool:
    """Whether more than one batch size is trained."""
    spec = experiment["spec"]
    return any(len(arm.get("batch_sizes", spec["batch_sizes"])) > 1 for arm in spec.get("variants") or [{}])
