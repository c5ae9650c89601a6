"""From specs to cells: the contract's numbers, order, merging and seeds."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from batchlab.cell import Cell
from batchlab.expand import count, expand
from batchlab.merging import difference, merge
from batchlab.spec import parse_spec
from batchlab.studies import STUDIES
from batchlab.sweep import resolve

Document = Callable[..., dict[str, Any]]
CONTRACT = {
    "name": "fig-6.7.1",
    "tags": ["textbook"],
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [1, 2, 4, "10%", "full"],
    "lr": {"rule": "fixed", "base": 0.5},
    "momentum": [0.0],
    "optimizer": {"kind": "sgd"},
    "schedule": {"kind": "constant"},
    "budget": {"epochs": 500},
    "seeds": 5,
    "evaluate": {"every_steps": 80},
    "probes": [{"kind": "grad_norm"}],
    "engine": "auto",
    "priority": 0,
}


def test_the_contracts_spec_has_25_cells_and_3527500_updates() -> None:
    cells = expand(parse_spec(CONTRACT))
    assert len(cells) == 25
    assert sum(cell.steps for cell in cells) == 3_527_500


def test_the_textbooks_figure_has_80_cells_and_4632500_updates() -> None:
    cells = expand(parse_spec(STUDIES["grad-norm-vs-batch"].spec("full")))
    assert len(cells) == 80
    assert sum(cell.steps for cell in cells) == 4_632_500


def test_axes_nest_in_the_contracts_order(document: Document) -> None:
    cells = expand(
        parse_spec(
            document(
                variants=[{"name": "a"}, {"name": "b"}],
                batch_sizes=[4, 2],
                lr={"rule": "fixed", "base": [0.2, 0.1]},
                momentum=[0.5, 0.0],
                optimizer={"kind": "sgd", "weight_decay": [0.1, 0.0]},
                seeds=[7, 3],
            )
        )
    )
    points = [(c.variant, c.batch_size, c.lr, c.momentum, c.params["weight_decay"], c.seed) for c in cells]
    axes = [["a", "b"], [4, 2], [0.2, 0.1], [0.5, 0.0], [0.1, 0.0], [7, 3]]
    assert [c.ordinal for c in cells] == list(range(64))
    assert points == sorted(points, key=lambda point: [axis.index(v) for axis, v in zip(axes, point, strict=True)])
    assert len(set(points)) == 64


def test_optimizer_numbers_nest_by_name(document: Document) -> None:
    optimizer = {"kind": "adam", "weight_decay": [0.0, 0.1], "beta1": [0.9, 0.8]}
    cells = expand(parse_spec(document(optimizer=optimizer)))
    assert [(c.params, c.optimizer.beta1, c.optimizer.weight_decay) for c in cells] == [
        ({"beta1": b, "weight_decay": w}, b, w) for b in (0.9, 0.8) for w in (0.0, 0.1)
    ]


def test_a_cell_of_an_optimizer_without_momentum_shows_null(document: Document) -> None:
    (cell,) = expand(parse_spec(document(optimizer={"kind": "adam"})))
    assert cell.momentum is None


def test_a_cell_survives_json(document: Document) -> None:
    for cell in expand(parse_spec(document(batch_sizes=["10%", "full"], seeds=2, split_seed=4))):
        assert Cell.model_validate_json(json.dumps(cell.model_dump(mode="json"))) == cell


@pytest.mark.parametrize(
    ("entry", "total", "rows"),
    [
        ("10%", 800, 80), ("10%", 60000, 6000), ("0.1%", 800, 1), ("0.01%", 800, 1), ("100%", 7, 7), ("full", 7, 7),
        ("50%", 5, 3), ("12.5%", 4, 1), ("0.7%", 1000, 7), (3, 9, 3),
    ],
)  # fmt: skip
def test_a_percentage_is_rounded_half_up_and_never_below_one(entry: int | str, total: int, rows: int) -> None:
    assert resolve(entry, total) == rows


@pytest.mark.parametrize(
    ("budget", "steps"),
    [({"epochs": 3}, 27), ({"steps": 5}, 5), ({"examples": 800}, 9), ({"examples": 801}, 10), ({"examples": 750}, 8)],
)
def test_a_budget_becomes_updates(budget: dict[str, int], steps: int, document: Document) -> None:
    (cell,) = expand(parse_spec(document(budget=budget, batch_sizes=[96])))
    assert cell.steps == steps
    assert cell.examples(cell.steps) >= budget.get("examples", 0)


def test_the_default_evaluates_every_epoch(document: Document) -> None:
    given = document(batch_sizes=[96])
    del given["evaluate"]
    (cell,) = expand(parse_spec(given))
    assert cell.evaluate_every == cell.steps_per_epoch == 9


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merging_follows_the_examples_of_rfc_7396(target: Any, patch: Any, merged: Any) -> None:
    assert merge(target, patch) == merged


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 4}}, {"b": {"d": None, "c": 4}}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1, "z": 1, "b": 1}, {}, {"a": None, "b": None, "z": None}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
    ],
)
def test_a_difference_is_the_patch_that_leads_there(before: Any, after: Any, patch: Any) -> None:
    assert difference(before, after) == patch
    assert merge(before, patch) == after


def test_a_variant_is_merged_over_the_rest(document: Document) -> None:
    variants = [
        {"name": "fixed"},
        {"name": "linear", "lr": {"rule": "linear", "base_batch": 50}},
        {"name": "adam", "optimizer": {"kind": "adam", "nesterov": None}, "momentum": None},
    ]
    sgd = {"kind": "sgd", "nesterov": True}
    spec = parse_spec(document(variants=variants, optimizer=sgd, momentum=0.9))
    assert [(c.variant, c.lr, c.optimizer.kind) for c in expand(spec)] == [
        ("fixed", 0.5, "sgd"),
        ("linear", 1.0, "sgd"),
        ("adam", 0.5, "adam"),
    ]


def test_a_variant_of_another_kind_keeps_what_was_posted_and_no_more(document: Document) -> None:
    variants = [{"name": "sectors", "dataset": {"kind": "sectors"}}]
    for posted, kept in (({"normalise": "standard"}, "standard"), ({}, "none")):
        spec = parse_spec(document(dataset={"kind": "digits"} | posted, variants=variants, batch_sizes=[8]))
        stored = parse_spec(spec.model_dump(mode="json"))
        for (cell,) in (expand(spec), expand(stored)):
            assert (cell.dataset.kind, cell.dataset.normalise) == ("sectors", kept)


def test_a_stored_variant_says_what_it_changes_in_the_rest_with_its_defaults(document: Document) -> None:
    digits = {"kind": "digits", "validation": 100}
    variant = {"name": "a", "dataset": {"kind": "sectors", "validation": None, "normalise": "standard"}, "seeds": 1}
    spec = parse_spec(document(dataset=digits, variants=[variant], batch_sizes=[8]))
    assert spec.variants == ({"name": "a", "dataset": {"kind": "sectors", "validation": None}},)


def test_a_stored_spec_with_defaults_filled_in_has_the_same_cells(document: Document) -> None:
    spec = parse_spec(document(variants=[{"name": "adam", "optimizer": {"kind": "adam"}}, {"name": "sgd"}], seeds=2))
    assert expand(parse_spec(spec.model_dump(mode="json"))) == expand(spec)


def test_a_sweep_too_large_to_build_is_counted_at_once(document: Document) -> None:
    rates = [i / 1000 for i in range(1, 1000)]
    spec = parse_spec(document(seeds=10**9, lr={"rule": "fixed", "base": rates}, momentum=[0.0, 0.9]))
    assert count(spec) == 999 * 2 * 10**9
