"""The stacked engine against the reference: the same batches, curves, endings, and resumes, whoever shares a stack."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchlab import state
from batchlab.cell import Cell
from batchlab.cost import Costs, Rates
from batchlab.engines import by_name, choose, plan
from batchlab.engines.base import CellBlock, State
from batchlab.engines.batches import batches
from batchlab.engines.stacked import support
from batchlab.engines.stacked.stack import Stack
from batchlab.errors import SpecError
from batchlab.expand import expand
from batchlab.metrics import TIMED_RESULTS
from batchlab.spec import parse_spec
from conftest import Trained

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]

NETWORK = {"dataset": {"kind": "digits"}, "model": {"kind": "mlp", "widths": [12, 8]}}
RATES = {"rule": "list", "values": [0.05, 0.2]}
SMALL_RATES = {"rule": "list", "values": [0.001, 0.01]}
PICTURES = {"dataset": {"kind": "digits"}, "batch_sizes": [64], "budget": {"steps": 12}, "seeds": 2}
CASES: dict[str, dict[str, Any]] = {
    "softmax, a short last batch": {"batch_sizes": [300], "budget": {"steps": 40}, "seeds": 2, "lr": RATES},
    "softmax, the whole": {"batch_sizes": ["full"], "lr": RATES},
    "momenta, zero among them": {**NETWORK, "momentum": [0.0, 0.9], "lr": RATES},
    "nesterov with decay and a schedule": {
        **NETWORK,
        "lr": RATES,
        "momentum": [0.5, 0.9],
        "optimizer": {"kind": "sgd", "nesterov": True, "weight_decay": [0.0, 0.01], "decay_on": "weights"},
        "schedule": {"kind": "warmup", "length": 0.3, "then": {"kind": "cosine"}},
    },
    "a momentum that is scheduled": {"momentum": 0.9, "schedule": {"kind": "one_cycle"}, "lr": RATES},
    "adam": {
        **NETWORK,
        "lr": SMALL_RATES,
        "optimizer": {"kind": "adam", "beta1": [0.0, 0.9], "beta2": [0.9, 0.999], "weight_decay": 0.01},
    },
    "adamw on the whole": {  # smooth: a row that passes a kink by rounding moves the whole batch's gradient by 1e-3
        **NETWORK,
        "model": {"kind": "mlp", "widths": [12, 8], "activation": "tanh"},
        "batch_sizes": ["full"],
        "lr": SMALL_RATES,
        "optimizer": {"kind": "adamw", "weight_decay": [0.0, 0.1], "eps": [1e-4, 1e-3]},
    },
    "adamw by signs, in double precision": {  # a small eps makes much of the rounding of gradients that are nearly 0
        **NETWORK,
        "batch_sizes": ["full"],
        "lr": SMALL_RATES,
        "precision": "float64",
        "optimizer": {"kind": "adamw", "weight_decay": [0.0, 0.1], "eps": 1e-8},
    },
    "a regression": {
        "dataset": {"kind": "diabetes"}, "model": {"kind": "linear", "bias": False}, "reduction": "sum",
        "lr": {"rule": "list", "values": [0.01, 0.001]}, "batch_sizes": [5],
    },
    "classes by squared error": {"loss": "half_squared_error", "batch_sizes": [9], "lr": RATES, "seeds": 2},
    "smoothed labels": {**NETWORK, "label_smoothing": 0.1, "lr": RATES},
    "orders of several kinds": {"variants": [{"name": how, "shuffle": how} for how in ("epoch", "never", "once")]},
    "splits of their own": {"dataset": {"kind": "sectors", "validation": 300}, "seeds": 3},
    "every probe": {
        **NETWORK, "momentum": 0.9, "lr": RATES,
        "probes": [{"kind": kind} for kind in ("grad_norm", "update_norm", "param_norm", "distance", "momentum_parts",
                                               "direction", "roughness")],
    },
    "number by number": {
        "dataset": {"kind": "blobs", "rows": 200, "test_rows": 50}, "batch_sizes": [20],
        "probes": [{"kind": "position"}, {"kind": "momentum_parts"}], "lr": RATES,
    },
    "normalised by layer": {"dataset": {"kind": "digits"}, "lr": RATES,
                            "model": {"kind": "mlp", "widths": [8], "norm": {"kind": "layer"}, "activation": "gelu"}},
    "a convolutional network": {**PICTURES, "model": {"kind": "cnn", "channels": [3], "width": 8}},
    "groups of channels": {
        **PICTURES, "model": {"kind": "cnn", "channels": [4], "norm": {"kind": "group", "groups": 2}},
    },
    "double precision": {**NETWORK, "precision": "float64", "lr": RATES},
}  # fmt: skip
cases = pytest.mark.parametrize("case", CASES)


def together(cohort: Sequence[Cell], held: State | None = None, **options: Any) -> list[Trained]:
    """What each cell of a stack gives; a block's state is the whole stack's."""
    data = cohort[0].dataset.load(Path())
    blocks: list[list[CellBlock]] = [[] for _ in cohort]
    states: list[list[State]] = [[] for _ in cohort]
    for block, snapshot in by_name("stacked").train(cohort, data, held, **options):
        kept = snapshot()
        for position, own in block.cells.items():
            blocks[position].append(own)
            states[position].append(kept)
    return [Trained(tuple(own), tuple(held)) for own, held in zip(blocks, states, strict=True)]


def facts(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what the clock says."""
    return {name: value for name, value in result.items() if name not in TIMED_RESULTS}


def close(ours: Trained, reference: Trained, exact: Trained) -> None:
    """No metric farther than 1e-5 of a curve's largest value from the run in double precision, or five times the
    reference's own distance from it: both are roundings of one computation."""
    assert ours.metrics() == reference.metrics()
    assert ours.evaluated_at == reference.evaluated_at
    for metric in set(ours.metrics()) - {"step_seconds"}:
        truth = exact.curve(metric)
        known = np.isfinite(truth)
        scale = np.abs(truth[known]).max() or 1.0
        error, usual = (np.abs(run.curve(metric) - truth)[known].max() / scale for run in (ours, reference))
        assert error <= 5 * usual + 1e-5, metric
        assert (np.isfinite(ours.curve(metric)) == known).all(), metric


@cases
def test_a_stack_gives_the_references_curves(case: str, cells: Cells, train: Train) -> None:
    cohort = cells(**CASES[case])
    assert len({support.key(cell) for cell in cohort}) == 1
    assert support.key(cohort[0]) is not None
    for cell, ours in zip(cohort, together(cohort), strict=True):
        reference = train(cell)
        close(ours, reference, train(cell.model_copy(update={"precision": "float64"})))
        assert ours.ending.status == reference.ending.status == "succeeded"
        assert ours.result.keys() == reference.result.keys()
        assert ours.result["timing"] == "block"


@cases
def test_a_stack_resumed_after_any_block_ends_with_the_same_bits(case: str, cells: Cells) -> None:
    cohort = cells(**CASES[case])
    whole, cut = together(cohort), together(cohort, block_steps=11)
    assert [run.bits() for run in whole] == [run.bits() for run in together(cohort)]
    for position, run in enumerate(cut):
        assert run.bits() == whole[position].bits()
        assert facts(run.result) == facts(whole[position].result)
    for kept in cut[0].states[:-1]:
        rest = together(cohort, state.from_bytes(state.to_bytes(kept)))
        for position, run in enumerate(rest):
            assert facts(run.result) == facts(whole[position].result)
            assert all(whole[position].bits()[metric].endswith(bits) for metric, bits in run.bits().items())


def test_whoever_shares_a_stack_a_cells_curves_are_the_same_but_for_rounding(cells: Cells) -> None:
    cohort = cells(**NETWORK, lr=RATES, momentum=[0.0, 0.9], seeds=2)
    whole = together(cohort)
    turned = together(cohort[::-1])[::-1]
    parts = [*together(cohort[:3]), *together(cohort[3:])]
    for ours, *others in zip(whole, turned, parts, strict=True):
        for other in others:
            for metric in set(ours.metrics()) - {"step_seconds"}:
                np.testing.assert_allclose(other.curve(metric), ours.curve(metric), rtol=2e-4, atol=1e-6)


def test_each_cell_sees_the_rows_that_the_reference_takes(cells: Cells) -> None:
    variants = [{"name": "a"}, {"name": "b", "shuffle": "once"}]
    cohort = cells(batch_sizes=[70], budget={"epochs": 3}, seeds=2, variants=variants, split_seed=3)
    stack = Stack(cohort, cohort[0].dataset.load(Path()), torch.device("cpu"))
    for done in (0, 17):
        ours = stack.rows(done)
        for updates in zip(*(batches(cell, done, stack.device) for cell in cohort), strict=True):
            rows = next(ours)
            assert rows is not None
            assert rows.tolist() == [update[3].tolist() for update in updates]  # type: ignore[union-attr]


def test_a_cell_that_diverges_ends_where_the_reference_does_and_the_others_go_on(cells: Cells, train: Train) -> None:
    cohort = cells(
        dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "list", "values": [0.01, 2.0, 5.0]},
        budget={"steps": 400},
    )  # fmt: skip
    for options in ({}, {"block_steps": 7}):
        ours = together(cohort, **options)
        assert [run.ending.status for run in ours] == ["succeeded", "diverged", "diverged"]
        for cell, run in zip(cohort, ours, strict=True):
            reference = train(cell)
            assert run.result["diverged_at"] == reference.result["diverged_at"]
            assert run.evaluated_at == reference.evaluated_at
            assert len(run.curve("loss")) == len(reference.curve("loss"))
        alone = together(cohort[:1])[0]
        np.testing.assert_allclose(ours[0].curve("loss"), alone.curve("loss"), rtol=1e-5)
    assert 1 < ours[2].result["diverged_at"] < ours[1].result["diverged_at"] < 400


def test_a_stack_is_resumed_when_one_of_its_cells_has_ended(cells: Cells) -> None:
    cohort = cells(
        dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "list", "values": [0.01, 5.0]},
        budget={"steps": 300},
    )  # fmt: skip
    whole = together(cohort, block_steps=40)
    assert len(whole[1].blocks) < len(whole[0].blocks)
    rest = together(cohort, state.from_bytes(state.to_bytes(whole[1].states[-1])))
    assert rest[1].blocks == ()
    assert facts(rest[0].result) == facts(whole[0].result)
    assert all(whole[0].bits()[metric].endswith(bits) for metric, bits in rest[0].bits().items())


def test_a_target_stops_each_cell_at_the_references_step_and_keeps_its_weights(cells: Cells, train: Train) -> None:
    cohort = cells(
        batch_sizes=[4], evaluate={"every_steps": 3}, lr={"rule": "list", "values": [0.01, 0.1, 0.5]},
        target={"metric": "val_accuracy", "at_least": 0.7, "stop": True}, checkpoints=[{"kind": "last"}],
    )  # fmt: skip
    for options in ({}, {"block_steps": 5}):
        for cell, run in zip(cohort, together(cohort, **options), strict=True):
            reference = train(cell)
            steps = reference.result["updates"]
            assert run.result["target_step"] == reference.result["target_step"]
            assert run.result["updates"] == steps
            assert run.evaluated_at == reference.evaluated_at
            kept, theirs = run.blocks[-1].kept[steps], reference.blocks[-1].kept[steps]
            assert kept.labels == theirs.labels == ("last",)
            assert kept.weights.keys() == theirs.weights.keys()
            for name, weights in theirs.weights.items():
                np.testing.assert_allclose(kept.weights[name], weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({**NETWORK, "model": {"kind": "mlp", "norm": {"kind": "batch"}}}, "batch normalisation"),
        ({**NETWORK, "model": {"kind": "mlp", "dropout": 0.5}}, "dropout"),
        ({"optimizer": {"kind": "sam"}}, "the optimizer sam"),
        ({"precision": "bfloat16"}, "the precision bfloat16"),
        ({"clip": {"norm": 1.0}}, "clip"),
        ({"checkpoints": [{"kind": "best"}]}, "weights kept before the end"),
        ({"limits": {"seconds_per_cell": 5}}, "limits"),
        ({"isolated": True}, "cells whose seconds are to be their own (isolated)"),
        ({"probes": [{"kind": "noise_scale"}]}, "one of its probes"),
    ],
)  # fmt: skip
def test_what_cannot_be_stacked_is_refused_by_name_and_else_takes_another_engine(
    changes: dict[str, Any], reason: str, cells: Cells, document: Any
) -> None:
    (cell,) = cells(**changes)
    assert support.obstacle(cell) == reason
    assert plan([cell, cell], "cuda:0") == ("reference", 1)
    with pytest.raises(SpecError, match=r"engine: stacked does not train .*: use auto or reference"):
        expand(parse_spec(document(engine="stacked", **changes)))


def test_a_field_that_it_does_not_know_is_an_obstacle_unless_it_is_at_its_default(cells: Cells) -> None:
    (cell,) = cells()
    fields = {name: getattr(cell, name) for name in Cell.model_fields}

    class Later(Cell):
        twist: float = 0.0

    assert support.obstacle(Later.model_construct(**fields, twist=0.0)) is None
    assert support.obstacle(Later.model_construct(**fields, twist=0.5)) == "twist"


def test_cells_share_a_stack_where_all_but_their_own_numbers_is_equal(cells: Cells) -> None:
    alike = cells(lr=RATES, momentum=[0.0, 0.9], seeds=3, optimizer={"kind": "sgd", "weight_decay": [0.0, 0.1]})
    assert len({support.key(cell) for cell in alike}) == 1
    others = cells(batch_sizes=[50, 100]) + cells(loss="half_squared_error") + cells(evaluate={"every_steps": 7})
    assert len({support.key(cell) for cell in others}) == 4
    mixed = cells(batch_sizes=[50, 100], seeds=3, engine="auto")
    assert len({cell.stack_key for cell in mixed}) == 1
    assert support.cohort_size(mixed, "cuda:0") == support.cohort_size(mixed[3:], "cuda:0") == 3


def test_a_cpu_stacks_many_small_networks_and_leaves_the_rest_to_others(cells: Cells) -> None:
    adam = {"optimizer": {"kind": "adam"}, "lr": SMALL_RATES, "seeds": 4}
    assert plan(cells(**NETWORK, **adam), "cpu") == ("stacked", 8)
    assert plan(cells(**NETWORK, **{**adam, "seeds": 1}), "cpu") == ("reference", 1)
    large = {**NETWORK, "model": {"kind": "mlp", "widths": [2048]}, "batch_sizes": [200]}
    assert plan(cells(**large, **adam), "cpu") == ("reference", 1)
    assert plan(cells(**PICTURES, model={"kind": "cnn"}), "cpu") == ("reference", 1)
    assert plan(cells(**NETWORK, seeds=8), "cpu") == ("compiled", 8)
    assert plan(cells(**NETWORK, seeds=8, engine="stacked"), "cpu") == ("stacked", 8)
    (alone,) = cells(engine="stacked")
    assert choose(alone, "cpu").name == "stacked"


def test_a_stack_is_taken_where_the_rates_of_the_device_say_that_it_is_faster(cells: Cells) -> None:
    many = cells(**NETWORK, optimizer={"kind": "adam"}, lr=SMALL_RATES, seeds=4)
    alone = Costs(update=1e-4)
    assert plan(many, "cuda:0") == ("reference", 1)  # nothing is known of it
    for stack, chosen in [(6e-4, ("stacked", 8)), (7e-4, ("reference", 1))]:  # eight alone take 8e-4
        assert plan(many, "cuda:0", Rates(reference=alone, stacked=Costs(update=stack))) == chosen
    little = Rates(reference=alone, stacked=Costs(update=1e-4), bytes=200_000)
    assert plan(many, "cuda:0", little)[1] < 8


def test_a_stack_is_bounded_by_memory(cells: Cells) -> None:
    wide = {**NETWORK, "model": {"kind": "mlp", "widths": [4096, 4096]}, "engine": "stacked"}
    many = cells(**wide, seeds=70)
    assert plan(many, "cpu") == ("stacked", 1)
    assert plan(cells(**NETWORK, engine="stacked", seeds=70), "cpu") == ("stacked", support.MOST["cpu"])
