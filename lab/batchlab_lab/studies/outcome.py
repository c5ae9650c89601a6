"""How one study ended: the line that a terminal shows, and the file that the index is made from."""

from collections import Counter
from pathlib import Path

from batchlab_client import models
from pydantic import BaseModel, ValidationError

from batchlab_lab import exits, show

FILE = "outcome.json"
VERDICTS = ("supported", "contradicted", "inconclusive")


class Outcome(BaseModel):
    """One study at one size, as it ended."""

    study: models.Study
    size: str
    experiment: str | None = None
    """The experiment's id; None where the server refused the study."""
    status: str = "refused"
    cells: models.CellCounts = models.CellCounts()
    updates: int = 0
    seconds: float = 0.0
    """From posting to the last plot."""
    plots: list[str] = []
    """Names of the plots that were saved."""
    claims: list[models.Verdict] = []
    """Claims of the study, judged by what was measured."""
    faults: list[str] = []
    """What went wrong, in words."""

    @property
    def exit(self) -> int:
        """The exit status that this ending calls for."""
        if self.status == "cancelled":
            return exits.CANCELLED
        return exits.FAILED if self.faults else exits.SUCCEEDED

    @property
    def line(self) -> str:
        """One line: how it ended, what it cost, what went wrong."""
        counts = {name: n for name, n in self.cells.model_dump().items() if n}
        parts = [
            f"{self.study.name}: {self.status}",
            ", ".join(f"{n} {name}" for name, n in counts.items()),
            f"{self.updates:,} updates",
            f"{len(self.plots)} of {len(self.study.plots)} plots",
            self.verdicts,
            show.duration(self.seconds),
        ]
        return "\n  ".join([" · ".join(filter(None, parts)), *self.faults])

    @property
    def verdicts(self) -> str:
        """How the claims came out: "2 supported, 1 inconclusive"."""
        counts: Counter[str] = Counter(claim.verdict for claim in self.claims)
        return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def save(folder: Path, outcome: Outcome) -> None:
    """Keep an outcome in the folder of its study."""
    (folder / FILE).write_text(outcome.model_dump_json(indent=2) + "\n")


def load(folder: Path) -> Outcome | None:
    """The outcome that is kept in the folder of a study; None where there is none that this version can read."""
    try:
        return Outcome.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
