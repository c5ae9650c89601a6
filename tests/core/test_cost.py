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


WEIGHTS = 64 * 64 + 64 + 64 * 10 + 10
RATES = cost.Rates(
    reference=cost.Costs(update=1e-4, array=1e-5, weight=2e-9, row=1e-9, dense=1e-10, filter=3e-10),
    layer=cost.Costs(update=1e-7, weight=1e-9),
    compiled=cost.Costs(update=1e-6, array=1e-7, weight=2e-9, row=1e-9, dense=1e-10),
    stacked=cost.Costs(update=2e-4, array=2e-5, cell=1e-6, weight=3e-9, row=1e-9, dense=2e-10, filter=5e-10),
)


def test_an_update_costs_what_it_computes() -> None:
    rows = 3 * 1797 * (1e-9 + WEIGHTS * 1e-10) / 3  # of the digits, both parts, three times forward
    for cell in cells():
        update = 1e-6 + 4 * 1e-7 + WEIGHTS * 2e-9 + cell.batch_size * (1e-9 + WEIGHTS * 1e-10)
        evaluated = rows + 3 * 0.5 * (1e-6 + 4 * 1e-7)
        whole = cost.seconds(cell, "compiled", rates=RATES)
        assert whole == pytest.approx(100 * update + evaluated)
        assert cost.of_an_update(cell, "compiled", rates=RATES) == pytest.approx(whole / 100)


def test_what_is_stored_of_an_update_takes_its_time() -> None:
    [none, norms] = (cells(probes=probes)[0] for probes in ([], [{"kind": "grad_norm"}]))
    assert cost.stored(none) == pytest.approx(cost.STORED)
    assert cost.stored(norms) == pytest.approx(cost.STORED * (1 + 3 + 4))  # all, weights, biases, and each of four


def test_each_engine_has_its_own_costs_and_a_stack_shares_what_is_done_once() -> None:
    softmax, network = cells(model={"kind": "softmax"})[0], cells()[0]
    assert cost.of_an_update(network, "compiled", 16, RATES) == cost.of_an_update(network, "compiled", 1, RATES)
    assert RATES.costs("compiled", softmax) == RATES.layer and RATES.costs("compiled", network) == RATES.compiled
    alone, together = (RATES.stacked.of(cost.features(network, k)) for k in (1, 16))
    assert together - 16 * alone == pytest.approx(-15 * (2e-4 + 4 * 2e-5))
    on_a_gpu = RATES.model_copy(update={"layer": None, "compiled": None})
    assert on_a_gpu.costs("compiled", network) == RATES.reference


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
    *_, dense, filters, outputs = cost.features(cell)
    assert sum(made) / 3 < (dense + filters) / 1024 < 3 * sum(made)
    assert cost.features(cell, 5)[-2:] == (5 * filters, 5 * outputs)
