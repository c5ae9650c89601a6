"""The test of a time that does not grow with the batch until the machine is full."""

import math
from typing import Annotated, Literal

from pydantic import Field

from batchlab.claims.evidence import At, Evidence
from batchlab.claims.quantities import Quantity, Result
from batchlab.claims.regions import Region, within
from batchlab.claims.sampling import Sample, Tested, sample_of
from batchlab.statistics import saturation


class Saturates(Tested):
    """A quantity stays the same while the batch grows at least so many times, then rises in proportion to it.

    Fitted for each seed: t(B) = max(t0, B / R). The effect is the logarithm of the knee t0 R over the smallest batch;
    where no batch is beyond the knee, the largest batch stands for it.
    """

    kind: Literal["saturates"] = "saturates"
    quantity: Quantity = Result(key="seconds_per_update")
    at: At = At()
    """What is held fixed."""
    factor: Annotated[float, Field(gt=1)] = 4.0
    """How many times the batch must grow before the quantity does."""

    def sample(self, evidence: Evidence) -> Sample:
        taken = evidence.take(self.quantity, self.at)
        lines = taken.along("batch_size", self.at.reduce)
        return sample_of({seed: _knee(line) for seed, line in lines.items()}, taken.left_out, taken)

    def region(self) -> Region:
        return within(math.log(self.factor), math.inf)

    def words(self) -> str:
        where = f" at {self.at.words()}" if self.at.words() else ""
        return f"log of the batch at which {self.quantity.words()}{where} begins to rise over the smallest batch"


def _knee(line: dict[float, float]) -> float | None:
    if len(line) < 3 or min(line.values()) <= 0:
        return None
    return math.log(min(saturation(line).knee, max(line)) / min(line))
