"""What a plot is drawn from: one experiment, its cells, their groups and their curves."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from batchlab.verdicts import Verdict

from batchlab_api.axis import Axis
from batchlab_api.series import Grouping

Row = Mapping[str, Any]


class Source(Protocol):
    """One experiment's data, as the contract's endpoints show it. Nothing is read that a plot does not ask for."""

    @property
    def experiment(self) -> Row:
        """`name`, `spec` (defaults filled in) and `metrics` (name -> unit)."""

    @property
    def cells(self) -> Sequence[Row]:
        """Every cell by ordinal, with at least `id, ordinal, variant, batch_size, lr, momentum, params, seed, status,
        result, shared_with`."""

    @property
    def groups(self) -> Sequence[Row]:
        """What `batchlab.results.group_cells` makes of the cells."""

    @property
    def analyses(self) -> Sequence[Row]:
        """The analyses that have succeeded: `id, kind, cells` (their ids), `values, meta`."""

    def arrays(self, analysis: str) -> Mapping[str, Any]:
        """The arrays that an analysis has found, by name."""

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """What the data say of the experiment's claims, as `GET .../verdicts` shows it."""

    def curves(self, metrics: Sequence[str], points: int, x: Axis, group: Grouping) -> Sequence[Row]:
        """The series of these metrics, at most `points` points each, as `GET .../curves` returns them."""


def unit(experiment: Row, metric: str) -> str:
    """The unit of a metric in words; a pure number is dimensionless."""
    found: str = experiment["metrics"].get(metric, "1")
    return "dimensionless" if found == "1" else found
