"""What a cell takes by a guess: the ratios between cells that a sweep is made of."""

from typing import Any

import pytest
import torch
from batchlab import cost
from batchlab.cell import Cell
from batchlab.expand import expand
from batchlab.spec import parse_spec

SPEC: dict[str, Any] = {
    "dataset": {"kind": "digits"},
    "model": {"kind": "mlp", "widths": [64]},
    "batch_sizes": [1, 32, 1024],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"steps": 100},
    "evaluate": {"every_steps": 100},
}


def cells(**changes: Any) -> tuple[Cell, ...]:
    return expand(parse_spec({**SPEC, **changes}))


def test_an_update_costs_what_it_computes() -> None:
    weights = 64 * 64 + 64 + 64 * 10 + 10
    evaluated = 3 * cost.ROW / 3 * weights * 1797  # all rows of the digits, both parts
    for cell in cells():
        update = cost.FIXED + weights * (cost.STEP + cost.ROW * cell.batch_size)
        assert cost.seconds(cell) == pytest.approx(100 * update + evaluated)
        assert cost.of_an_update(cell) == pytest.approx(cost.seconds(cell) / 100)


def test_what_torch_dispatches_costs_the_more_the_less_it_computes() -> None:
    for fast, slow in zip(cells(), cells(optimizer={"kind": "adam"}), strict=True):
        assert cost.seconds(slow) - cost.seconds(fast) == pytest.approx(100 * (cost.DISPATCH - cost.FIXED))


def test_a_filter_is_counted_for_each_place_that_it_passes() -> None:
    """Against the multiplications of the network itself, as its layers make them: right to a factor of three."""
    [cell] = cells(model={"kind": "lenet"}, batch_sizes=[1024])
    network = cell.model.build(cell.info.shape, cell.info.outputs)
    found = {"products": 0}

    def count(layer: Any, _: Any, out: torch.Tensor) -> None:
        found["products"] += layer.weight[0].numel() * out[0].numel()

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    network(torch.zeros(1, *cell.info.shape))
    guessed = (cost.of_an_update(cell) - cost.DISPATCH) / (cost.ROW * 1024)
    assert found["products"] / 3 < guessed < 3 * found["products"]
