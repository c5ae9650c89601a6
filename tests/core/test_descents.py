"""The studies of descents show what their sources say, from the engine itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab.expand import expand
from batchlab.spec import parse_spec
from batchlab.studies import STUDIES

Train = Callable[..., Any]


def trained(study: str, train: Train) -> dict[tuple[Any, ...], Any]:
    """What the cells of a study's smoke size gave, for its first seed, by variant, batch and momentum."""
    cells = expand(parse_spec(STUDIES[study].spec("smoke", {"seeds": [0]})))
    return {(cell.variant, cell.batch_entry, cell.momentum): train(cell) for cell in cells}


def test_the_worked_example_gives_the_textbooks_numbers(train: Train) -> None:
    """Equations 6.7.2 to 6.7.4: 0.733, 0.629, 0.796, and 0.622 at the raised rate."""
    parts, one, raised = trained("worked-example", train).values()
    assert parts.curve("param/linear.weight").tolist() == pytest.approx([1.0, 0.733], abs=5e-4)
    assert parts.curve("grad_norm").tolist() == pytest.approx([2.667, 1.038], abs=1e-3)
    assert parts.result["final_param/linear.weight"] == pytest.approx(0.6294, abs=5e-5)
    assert one.curve("grad_norm").tolist() == pytest.approx([2.042], abs=5e-4)
    assert one.result["final_param/linear.weight"] == pytest.approx(0.796, abs=5e-4)
    assert raised.result["final_param/linear.weight"] == pytest.approx(0.622, abs=5e-4)


def test_the_full_batch_walks_straight_where_single_samples_zig_zag(train: Train) -> None:
    """Straight: each step has an angle of less than a right one with the step before; single rows also turn back."""
    found = trained("batch-vs-single", train)

    def turns(entry: Any) -> Any:
        run = found["never shuffled", entry, 0.0]
        steps = np.stack([run.curve("step/linear.weight"), run.curve("step/linear.bias")], axis=1)
        return (steps[1:] * steps[:-1]).sum(1)

    assert (turns("full") > 0).all()
    assert (turns(1) < 0).any()
    assert len(turns(1)) + 1 == 20 * (len(turns("full")) + 1)


def test_rows_that_are_not_shuffled_come_in_the_same_order_in_every_epoch(train: Train) -> None:
    """The sizes of the batches are one, so that the first row of each epoch shows in its gradient's direction."""
    found = trained("batch-vs-single", train)
    run = found["never shuffled", 1, 0.0]
    # A row's gradient is (x r, r) for its residual r: the ratio of both is its x, whatever the weights are.
    x = run.curve("gradient_step/linear.weight") / run.curve("gradient_step/linear.bias")
    np.testing.assert_allclose(x[:20], x[20:40], rtol=1e-3)
    moved = found["reshuffled every epoch", 1, 0.0]
    other = moved.curve("gradient_step/linear.weight") / moved.curve("gradient_step/linear.bias")
    np.testing.assert_allclose(np.sort(other[:20]), np.sort(x[:20]), rtol=1e-3)
    assert not np.allclose(other[:20], other[20:40], rtol=1e-3)


def test_summed_gradients_grow_with_the_batch_and_means_do_not(train: Train) -> None:
    found = trained("sum-or-mean", train)
    first = {key: run.curve("grad_norm")[0] for key, run in found.items()}
    assert first["sum", "full", 0.0] == pytest.approx(256 * first["mean", "full", 0.0], rel=1e-4)
    parts = found["at the same weights", 1, 0.0].curve("grad_norm").mean()
    assert parts >= found["at the same weights", "full", 0.0].curve("grad_norm").mean()
    assert found["sum", "full", 0.0].ending.status == "diverged"


def test_a_start_is_scattered_by_the_seed() -> None:
    import torch
    from batchlab.init import network
    from batchlab.models import OnSurface

    model = OnSurface(start=(1.0, 2.0), scatter=0.1)
    first, again, other = (network(model, (2,), 1, "default", seed) for seed in (0, 0, 1))
    points = [torch.cat([p.detach() for p in net.parameters()]) for net in (first, again, other)]
    assert torch.equal(points[0], points[1])
    assert not torch.equal(points[0], points[2])
    assert float((points[0] - torch.tensor([1.0, 2.0])).abs().max()) < 0.5
