"""What every analysis of weights takes: on which rows, in which precision, by which statistics of normalisation."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from batchlab.analyses.base import AnalysisKind, Needs, Subject

if TYPE_CHECKING:
    from batchlab.analyses.problem import Problem

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class OfWeights(AnalysisKind):
    """The base of analyses that look at a network at given weights."""

    needs: ClassVar[Needs] = "weights"
    rows: Count | None = None
    """On how many rows the loss is taken: the same ones for all cells with equal data. All where null."""
    part: Literal["train", "validation"] = "train"
    """Of which part of the data."""
    precision: Literal["float32", "float64"] = "float32"
    """In which the network is computed."""
    batch_norm: Literal["kept", "reestimated"] = "reestimated"
    """Statistics of batch normalisation: as training left them, or taken anew over the rows at the same weights."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the analysis' own random draws."""

    def problem(self, subject: Subject, device: str) -> "Problem":
        """The subject's network on these rows."""
        from batchlab.analyses.problem import Problem

        return Problem.of(
            subject,
            device=device,
            precision=self.precision,
            rows=self.rows,
            part=self.part,
            batch_norm=self.batch_norm,
        )
