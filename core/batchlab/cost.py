"""How long a cell takes, guessed from the cell alone: for cohorts of fair size and for the time that is left.

The unit is a second of a processor core of today, right to a factor of three or so. What counts is the ratio between
cells: an update of 60 000 rows is no update of one. How fast a worker really is, in such seconds a second, is measured.
Importing this loads no torch.
"""

from math import prod

from batchlab.cell import Cell
from batchlab.engines.compiled import support

DISPATCH = 1.2e-4
"""Seconds of an update that torch starts from Python, whatever it computes."""
FIXED, STEP, ROW = support.FIXED, support.STEP, support.ROW
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


def _sizes(cell: Cell) -> tuple[int, int]:
    """How many weights there are, and multiplications for one row."""
    shapes = list(cell.model.parameters(cell.info.shape, cell.info.outputs).values())
    # A filter passes over many places: a quarter of the pixels, about, as pictures shrink from layer to layer.
    places = max(1, prod(cell.info.shape[1:]) // 4) if len(cell.info.shape) == 3 else 1
    products = sum(prod(shape) * (places if len(shape) == 4 else 1) for shape in shapes)
    return sum(map(prod, shapes)), products
