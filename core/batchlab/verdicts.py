"""The verdicts on an experiment: the claims of its study and those of its spec, judged by its cells."""

from collections.abc import Sequence
from typing import Any

from batchlab.claims import Claim, Evidence, Verdict, judge
from batchlab.claims.evidence import no_curves
from batchlab.claims.quantities import Curves, Row
from batchlab.experiment import ExperimentSpec
from batchlab.spec import arms_of
from batchlab.studies import STUDIES

__all__ = ["Verdict", "claims_of", "described", "verdicts"]


def claims_of(spec: ExperimentSpec) -> tuple[Claim, ...]:
    """The claims of the study that the spec names, and those that it makes itself."""
    study = STUDIES.get(spec.study or "")
    return (*(study.claims if study else ()), *spec.claims)


def verdicts(spec: ExperimentSpec, rows: Sequence[Row], curves: Curves = no_curves) -> list[Verdict]:
    """The verdicts on the claims of an experiment.

    `rows`: its cells as results show them (`analyses`, where there are some, by kind); `curves` reads a metric of one.
    """
    claims = claims_of(spec)
    return judge(claims, Evidence(described(spec, rows), curves)) if claims else []


def described(spec: ExperimentSpec, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows with what only the spec knows of them: `batch_entry` (the batch size as written) and `isolated`."""
    arms = {arm.variant: arm for arm in arms_of(spec)}
    entries = {(name, batch.rows): batch.entry for name, arm in arms.items() for batch in arm.batches}
    return [
        {
            **row,
            "batch_entry": entries.get((row["variant"], row["batch_size"])),
            "isolated": row["variant"] in arms and arms[row["variant"]].spec.isolated,
        }
        for row in rows
    ]
