"""The sources' tables that set a small batch beside a large one, with every cell measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchlab.claims import Evidence, Verdict
from batchlab.claims.quantities import Row
from batchlab.claims.tests import Compare
from batchlab.experiment import ExperimentSpec
from batchlab.statistics import Summary, summary
from batchlab.studies.statistics import STUDIES
from batchlab.verdicts import described, verdicts

STUDY = next(study for study in STUDIES if study.name == "small-vs-large-table")


@dataclass(frozen=True)
class Line:
    """A line of a source's table: what it compares, what it says of either side, and the claim that measures it."""

    title: str
    small: str
    large: str
    claim: str


TABLES: dict[str, tuple[Line, ...]] = {
    "6.7.2": (
        Line("parallel computation", "inconvenient", "convenient", "parallel"),
        Line("attainable minimum of the error", "small", "large", "minimum"),
        Line("speed of convergence", "fast", "slow", "convergence"),
        Line("updates of the weights", "many", "few", "updates"),
        Line("time of an epoch", "slow", "fast", "epoch-time"),
        Line("gradient", "noisy", "stable", "noise"),
        Line("optimisation", "better", "not good", "optimisation"),
        Line("generalisation", "better", "not good", "generalisation"),
    ),
    "3.1": (
        Line("time of an update, without parallel computation", "fast", "slow", "serial-time"),
        Line("time of an update, with parallel computation", "the same", "the same, if not very large", "update-time"),
        Line("time of an epoch", "slow", "fast", "epoch-time"),
        Line("gradient", "noisy", "stable", "noise"),
        Line("optimisation", "better", "worse", "optimisation"),
        Line("generalisation", "better", "worse", "generalisation"),
    ),
}
"""The lines by the table's number in its source."""


@dataclass(frozen=True)
class Measured:
    """A line with both of its cells measured: means over seeds, None where there is no value yet."""

    line: Line
    quantity: str
    small: Summary | None
    large: Summary | None
    verdict: Verdict


@dataclass(frozen=True)
class Table:
    """One source's table."""

    number: str
    lines: tuple[Measured, ...]


def tables(spec: ExperimentSpec, rows: Sequence[Row]) -> list[Table]:
    """Both tables from the cells of an experiment of the study (rows as results show them)."""
    evidence = Evidence(described(spec, rows))
    found = {verdict.id: verdict for verdict in verdicts(spec, rows)}
    tests: dict[str, Compare] = {claim.id: claim.test for claim in STUDY.claims}
    return [
        Table(number, tuple(_measured(line, tests[line.claim], evidence, found[line.claim]) for line in lines))
        for number, lines in TABLES.items()
    ]


def _measured(line: Line, test: Compare, evidence: Evidence, verdict: Verdict) -> Measured:
    small, large = (evidence.take(test.quantity, at).by_seed(at.reduce) for at in (test.a, test.b))
    return Measured(line, test.quantity.words(), _summary(small), _summary(large), verdict)


def _summary(by_seed: dict[int, float]) -> Summary | None:
    return summary(list(by_seed.values())) if by_seed else None
