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


@pytest.mark.parametrize(
    ("dataset", "model"),
    [("digits", {"kind": "cnn"}), ("mnist", {"kind": "lenet"}), ("cifar10", {"kind": "resnet", "depth": 20}),
     ("cifar10", {"kind": "vgg"})],
)  # fmt: skip
def test_a_filter_is_counted_for_each_place_that_it_passes(dataset: str, model: dict[str, Any]) -> None:
    """Against the multiplications that the network makes: right to a factor of three."""
    [cell] = cells(dataset={"kind": dataset}, model=model, batch_sizes=[1024], evaluate={"every_steps": 100})
    network = cell.model.build(cell.info.shape, cell.info.outputs).eval()
    made: list[int] = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(lambda it, _, out: made.append(it.weight[0].numel() * out[0].numel()))
    network(torch.zeros(1, *cell.info.shape))
    step = cost.DISPATCH + cost.STEP * sum(p.numel() for p in network.parameters())
    guessed = (cost.of_an_update(cell) - step) / (cost.ROW * (1024 + 3 / 3 * cell.info.rows / 100))
    assert sum(made) / 3 < guessed < 3 * sum(made)
