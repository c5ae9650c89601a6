"""The tables of the sources with every cell measured."""

from batchlab_client.models.base import Model, Number
from batchlab_client.models.verdicts import Verdict


class TableCell(Model):
    """One cell: what the source says, and what was measured over seeds (null where nothing is yet)."""

    says: str
    n: int
    mean: Number
    sd: Number
    ci95: tuple[float, float] | None


class TableLine(Model):
    """One line: a small batch beside a large one."""

    title: str
    quantity: str
    """What is measured, as a key of the results or made of such keys."""
    small: TableCell
    large: TableCell
    verdict: Verdict
    """Whether the data bear the source out."""


class Table(Model):
    """One table of a source."""

    number: str
    """As the source counts: 6.7.2 or 3.1."""
    lines: list[TableLine]


class Tables(Model):
    """The tables of the study."""

    experiment: str
    tables: list[Table]
    preliminary: bool
    """Whether cells are still to come."""
