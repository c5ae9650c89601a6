"""How long cells take, from the cells alone: for cohorts of fair size, the choice of an engine and the time left.

An update is a sum of what is done once, for each parameter array, each weight, and each multiplication; the seconds of
each are the `Rates` of a device, which `batchlab.calibration` measures. Importing this loads no torch.
"""

from collections.abc import Sequence
from math import prod

from pydantic import BaseModel, ConfigDict

from batchlab.cell import Cell
from batchlab.engines import IN_TURN
from batchlab.engines.compiled import support
from batchlab.probes import how_many

FILTER = 4
"""Dimensions of the weights of a convolution over pictures: channels out and in, height and width."""
FORWARD = 1 / 3
"""Of the products of an update, those of an evaluation."""

STORED = 1e-7
"""Seconds to store a value: ten million a second (`benchmarks.storage`)."""


class Costs(BaseModel):
    """Seconds of an update of K cells together, by what they are for, in the order of `features`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    update: float = 0.0
    array: float = 0.0
    """Of a parameter array: a weight or a bias of a layer, in all cells together."""
    convolution: float = 0.0
    """Of an array of filters, beside that."""
    cell: float = 0.0
    weight: float = 0.0
    """Of a weight of a cell."""
    row: float = 0.0
    """Of a row of a cell's batch."""
    dense: float = 0.0
    """Of a multiplication of a full layer for a row, there and back."""
    filter: float = 0.0
    """Of one of a convolution."""
    output: float = 0.0
    """Of a number that a convolution gives for a row, with what becomes of it: activation, pooling."""

    def of(self, counts: Sequence[float]) -> float:
        """Seconds of an update that consists of so much (`features`)."""
        each: list[float] = [getattr(self, name) for name in type(self).model_fields]
        return sum(a * b for a, b in zip(each, counts, strict=True))


class Rates(BaseModel):
    """What a device takes, by engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: Costs
    layer: Costs | None = None
    """The compiled engine's loop for one small layer; None on a GPU, which it does not train on."""
    compiled: Costs | None = None
    """Its loop for networks."""
    stacked: Costs
    misfit: float = 0.0
    """By how much these miss the runs that they were fitted to, at most, as a share."""
    bytes: int = 2**30
    """What a stack may hold."""
    threads: dict[int, float] = {}
    """How many times as fast a convolutional network is by so many threads."""

    def costs(self, engine: str, cell: Cell) -> Costs:
        """Those of the engine that trains the cell."""
        if engine == "compiled":
            found = self.layer if support.small(cell) else self.compiled
            return found or self.reference
        return self.stacked if engine == "stacked" else self.reference


TYPICAL = Rates(
    reference=Costs(
        update=2.7e-5, array=1.3e-5, convolution=1.6e-4, weight=5e-10, row=1.5e-7, dense=5.7e-11, filter=4e-12,
        output=5e-9,
    ),
    layer=Costs(update=7e-8, weight=3.2e-9, row=2.6e-8, dense=8e-11),
    compiled=Costs(array=3.5e-8, weight=5.6e-10, row=3.3e-8, dense=2.3e-11),
    stacked=Costs(
        update=2.5e-4, array=3.8e-5, convolution=2.9e-4, weight=4.3e-9, row=2.2e-7, dense=4.7e-11, filter=6.5e-12,
        output=8.7e-9,
    ),
)  # fmt: skip
"""Of a processor core of today: where none were measured."""


def features(cell: Cell, together: int = 1) -> tuple[float, ...]:
    """What an update of so many such cells consists of: counts in the order of `Costs`' fields."""
    parameters = cell.model.parameters(cell.info.shape, cell.info.outputs)
    shapes = parameters.values()
    # A filter passes over many places: all pixels in the first layer; where channels have doubled, half of them a side.
    pixels = prod(cell.info.shape[1:])
    first = next((shape[0] for shape in shapes if len(shape) == FILTER), 1)
    dense = sum(prod(s) for s in shapes if len(s) != FILTER)
    places = [(s, pixels * min(1.0, (first / s[0]) ** 2)) for s in shapes if len(s) == FILTER]
    filters, outputs = sum(prod(s) * n for s, n in places), sum(s[0] * n for s, n in places)
    weights, rows = together * how_many(parameters), together * cell.batch_size
    return 1, len(parameters), len(places), together, weights, rows, rows * dense, rows * filters, rows * outputs


def of_an_update(cell: Cell, engine: str, cohort: int = 1, rates: Rates = TYPICAL) -> float:
    """Seconds of an update of this cell by this engine, its share of the evaluations included, in a cohort of so many
    such cells."""
    together = 1 if engine in IN_TURN else cohort
    costs, counts = rates.costs(engine, cell), features(cell, together)
    _, arrays, _, _, _, rows, dense, filters, outputs = counts
    of_rows = rows * costs.row + dense * costs.dense + filters * costs.filter + outputs * costs.output
    evaluated = 0.5 * (costs.update + costs.array * arrays) + FORWARD * cell.info.rows / cell.batch_size * of_rows
    evaluations = 2 + cell.steps // cell.evaluate_every
    return (costs.of(counts) + evaluated * evaluations / max(cell.steps, 1)) / together


def stored(cell: Cell) -> float:
    """Seconds, on any device, to store the loss and what probes measure at an update of this cell: of small networks
    that takes longer than the update itself."""
    parameters = cell.model.parameters(cell.info.shape, cell.info.outputs)
    return STORED * (1 + sum(len(probe.metrics(parameters)) for probe in cell.probes if probe.need))


def seconds(cell: Cell, engine: str, cohort: int = 1, rates: Rates = TYPICAL) -> float:
    """Of all its updates and evaluations."""
    return max(cell.steps, 1) * of_an_update(cell, engine, cohort, rates)
