"""How long a cell takes, guessed from the cell alone: for cohorts of fair size and for the time that is left.

The unit is a second of a processor core of today, right to a factor of three or so. What counts is the ratio between
cells: an update of 60 000 rows is no update of one. How fast a worker really is, in such seconds a second, is measured.
Importing this loads no torch.
"""

from math import prod

from batchlab.cell import Cell
from batchlab.engines.compiled import support
from batchlab.probes import how_many

DISPATCH = 1.2e-4
"""Seconds of an update that torch starts from Python, whatever it computes."""
FILTER = 4
"""Dimensions of the weights of a convolution over pictures: channels out and in, height and width."""
FIXED, STEP, ROW = 3e-7, 1.5e-9, 1.5e-10
"""Seconds of a compiled update; of an update for each weight; of a weight for each row that passes it both ways."""


def seconds(cell: Cell) -> float:
    """Of all its updates and evaluations."""
    weights, products = _sizes(cell)
    fixed = FIXED if cell.device in ("auto", "cpu") and support.obstacle(cell) is None else DISPATCH
    update = fixed + STEP * weights + ROW * cell.batch_size * products
    evaluations = 2 + cell.steps // cell.evaluate_every
    return cell.steps * update + evaluations * (ROW / 3) * products * cell.info.rows


def of_an_update(cell: Cell) -> float:
    """Its `seconds` for each update, evaluations included."""
    return seconds(cell) / max(cell.steps, 1)


def _sizes(cell: Cell) -> tuple[int, float]:
    """How many weights there are, and multiplications for one row."""
    parameters = cell.model.parameters(cell.info.shape, cell.info.outputs)
    shapes = list(parameters.values())
    # A filter passes over many places: all pixels in the first layer; where channels have doubled, half of them a side.
    pixels = prod(cell.info.shape[1:])
    first = next((shape[0] for shape in shapes if len(shape) == FILTER), 1)
    products = sum(prod(s) * (pixels * min(1.0, (first / s[0]) ** 2) if len(s) == FILTER else 1) for s in shapes)
    return how_many(parameters), products
