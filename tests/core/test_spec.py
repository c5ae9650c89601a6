"""Every fault of a spec is named with its path and a remedy."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from batchlab.errors import SpecError
from batchlab.spec import parse_spec

Document = Callable[..., dict[str, Any]]

FAULTS: list[tuple[dict[str, Any], tuple[str | int, ...], str]] = [
    ({"batchsizes": [1]}, ("batchsizes",), "did you mean batch_sizes"),
    ({"dataset": {"kind": "sector"}}, ("dataset", "kind"), "use one of sectors, digits"),
    ({"dataset": {}}, ("dataset", "kind"), "required"),
    ({"dataset": 3}, ("dataset",), "object"),
    ({"dataset": {"kind": "sectors", "validation": "test"}}, ("dataset", "validation"), "no test part"),
    ({"dataset": {"kind": "sectors", "validation": 1000}}, ("dataset", "validation"), "has 1000"),
    ({"dataset": {"kind": "sectors", "validation": 1.5}}, ("dataset", "validation"), "less than 1"),
    ({"dataset": {"kind": "sectors", "validation": 0.0001}}, ("dataset", "validation"), "leaves no rows"),
    ({"model": {"kind": "mlp", "widths": []}}, ("model", "widths"), "at least 1"),
    ({"model": {"kind": "mlp", "widths": [4, 0]}}, ("model", "widths", 1), "greater than or equal to 1"),
    ({"model": {"kind": "cnn"}}, ("model", "kind"), "needs pictures"),
    ({"model": {"kind": "mlp", "widths": [65536, 65536]}}, ("model",), "over the limit of 100000000"),
    ({"model": {"kind": "linear"}}, ("model", "kind"), "for regression"),
    ({"model": {"kind": "softmax"}, "dataset": {"kind": "diabetes"}}, ("model", "kind"), "for classification"),
    ({"batch_sizes": []}, ("batch_sizes",), "at least 1"),
    ({"batch_sizes": [1, 2.5]}, ("batch_sizes", 1), 'a percentage such as "10%"'),
    ({"batch_sizes": [True]}, ("batch_sizes", 0), "number of rows"),
    ({"batch_sizes": ["a tenth"]}, ("batch_sizes", 0), "percentage"),
    ({"batch_sizes": [0]}, ("batch_sizes", 0), "greater than or equal to 1"),
    ({"batch_sizes": [801]}, ("batch_sizes", 0), "at most 800"),
    ({"batch_sizes": ["101%"]}, ("batch_sizes", 0), "at most 800"),
    ({"batch_sizes": [80, 1, "10%"]}, ("batch_sizes", 2), "as is 80"),
    ({"batch_sizes": ["full", 800]}, ("batch_sizes", 1), "as is full"),
    ({"lr": {"rule": "fixed"}}, ("lr", "base"), "required"),
    ({"lr": {"rule": "fixed", "base": []}}, ("lr", "base"), "at least 1"),
    ({"lr": {"rule": "fixed", "base": [0.1, -1]}}, ("lr", "base", 1), "greater than 0"),
    ({"lr": {"rule": "fixed", "base": [0.1, 0.1]}}, ("lr", "base"), "twice"),
    ({"lr": {"rule": "fixed", "base": math.nan}}, ("lr", "base"), "finite"),
    ({"lr": {"rule": "linear", "base": 0.1}}, ("lr", "base_batch"), "required"),
    ({"lr": {"rule": "power", "base": 1, "base_batch": 1, "exponent": 1e9}}, ("lr",), "rate inf"),
    ({"lr": {"rule": "table", "values": {"1": 0.1}}}, ("lr", "values"), "add the key '100'"),
    ({"lr": {"rule": "table", "values": {"100": 0.1, "7": 1}}}, ("lr", "values", "7"), "no such batch size"),
    ({"lr": {"rule": "fastest"}}, ("lr", "rule"), "use one of fixed, linear"),
    ({"momentum": 1}, ("momentum",), "less than 1"),
    ({"momentum": [0.5, 0.5]}, ("momentum",), "twice"),
    ({"momentum": 0.9, "optimizer": {"kind": "adam"}}, ("momentum",), "leave it out"),
    ({"optimizer": {"kind": "sgd", "nesterov": True}}, ("optimizer", "nesterov"), "above 0"),
    ({"optimizer": {"kind": "sgd", "beta1": 0.9}}, ("optimizer", "beta1"), "unknown key"),
    ({"optimizer": {"kind": "adam", "beta2": [0.9, 1.0]}}, ("optimizer", "beta2", 1), "less than 1"),
    ({"budget": {}}, ("budget",), "exactly one"),
    ({"budget": {"epochs": 1, "steps": 1}}, ("budget",), "exactly one"),
    ({"budget": {"epochs": 0}}, ("budget", "epochs"), "greater than or equal to 1"),
    ({"evaluate": {"every_steps": 1, "every_epochs": 1}}, ("evaluate",), "one of"),
    ({"seeds": 0}, ("seeds",), "greater than or equal to 1"),
    ({"seeds": [1, 1]}, ("seeds",), "twice"),
    ({"seeds": [2**63]}, ("seeds", 0), "less than"),
    ({"schedule": {"kind": "warmup", "length": 0}}, ("schedule", "length"), "greater than 0"),
    (
        {"schedule": {"kind": "warmup", "length": 1, "then": {"kind": "multistep", "milestones": [0.5, 0.5]}}},
        ("schedule", "then"),
        "ascending",
    ),
    ({"probes": [{"kind": "grad_norm"}] * 2}, ("probes",), "each probe once"),
    ({"probes": [{"kind": "grad_norm"}, {"kind": "loudness"}]}, ("probes", 1, "kind"), "use one of grad_norm"),
    (
        {"loss": "cross_entropy", "dataset": {"kind": "diabetes"}, "model": {"kind": "linear"}},
        ("loss",),
        "needs classes",
    ),
    ({"target": {"metric": "val_loss"}}, ("target",), "one of at_least and at_most"),
    (
        {
            "dataset": {"kind": "diabetes"},
            "model": {"kind": "linear"},
            "target": {"metric": "val_accuracy", "at_least": 1},
        },
        ("target", "metric"),
        "no accuracy",
    ),
    ({"limits": {"seconds_per_cell": 0}}, ("limits", "seconds_per_cell"), "greater than 0"),
    ({"engine": "warp"}, ("engine",), "use one of auto"),
    ({"device": "tpu"}, ("device",), "pattern"),
    ({"name": "a\0b"}, ("name",), "NUL"),
    ({"variants": [{"name": "a", "lr": {"rule": "linear"}}]}, ("variants", 0, "lr", "base_batch"), "required"),
    ({"variants": [{"name": "a"}, {"name": "a"}]}, ("variants", 1, "name"), "twice"),
    ({"variants": [{"momentum": 0.5}]}, ("variants", 0, "name"), "required"),
    ({"variants": [{"name": "a", "tags": []}]}, ("variants", 0, "tags"), "whole experiment"),
    ({"variants": [{"name": "a", "batch_sizes": [900]}]}, ("variants", 0, "batch_sizes", 0), "at most 800"),
]


@pytest.mark.parametrize(("change", "loc", "remedy"), FAULTS, ids=lambda value: json.dumps(value)[:60])
def test_a_fault_is_named_with_its_path_and_a_remedy(
    change: dict[str, Any], loc: tuple[str | int, ...], remedy: str, document: Document
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(document(**change))
    messages = {fault.loc: fault.msg for fault in caught.value.faults}
    assert remedy in messages.get(loc, f"nothing at {loc}: {messages}")


def test_every_fault_is_told_at_once(document: Document) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(document(colour="red", seeds=0, momentum=[0.1, 7]))
    assert {fault.loc for fault in caught.value.faults} == {("colour",), ("seeds",), ("momentum", 1)}


def test_a_list_whose_only_member_is_wrong_is_not_called_too_short(document: Document) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(document(batch_sizes=[8.0], model={"kind": "mlp", "widths": [0]}))
    assert [fault.loc for fault in caught.value.faults] == [("model", "widths", 0), ("batch_sizes", 0)]


def test_a_flood_of_faults_is_cut(document: Document) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(document(batch_sizes=[0] * 50_000))
    assert len(caught.value.faults) == 100


def test_a_long_list_with_one_value_twice_is_refused_at_once(document: Document) -> None:
    with pytest.raises(SpecError, match="1 is there twice"):
        parse_spec(document(seeds=[*range(50_000), 1]))


@pytest.mark.parametrize("missing", ["dataset", "model", "batch_sizes", "lr", "budget"])
def test_five_keys_are_required(missing: str, document: Document) -> None:
    given = document()
    del given[missing]
    with pytest.raises(SpecError) as caught:
        parse_spec(given)
    assert [fault.loc for fault in caught.value.faults] == [(missing,)]


def test_a_schema_address_is_ignored(document: Document) -> None:
    assert parse_spec(document(**{"$schema": "http://lab/schema/experiment.json"})) == parse_spec(document())


def test_text_bytes_and_a_dict_give_the_same_spec(document: Document) -> None:
    text = json.dumps(document())
    assert parse_spec(text) == parse_spec(text.encode()) == parse_spec(document())


def test_a_stored_spec_reads_back_as_it_was(document: Document) -> None:
    spec = parse_spec(document(variants=[{"name": "a", "lr": {"rule": "sqrt", "base_batch": 4}}], seeds=[3, 1]))
    assert parse_spec(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    "raw",
    ['{"name":', "[1]", '"x"', "", "9" * 5000, "[" * 100_000, b"\xff\xfe", '{"name": "\\ud800"}', "null"],
    ids=["cut", "list", "text", "empty", "huge number", "deep", "not utf-8", "lone surrogate", "null"],
)
def test_what_is_no_document_is_refused_in_words(raw: Any) -> None:
    with pytest.raises(SpecError):
        parse_spec(raw)


def test_what_cannot_be_json_is_refused_in_words(document: Document) -> None:
    with pytest.raises(SpecError, match="not a JSON document"):
        parse_spec(document(note=object()))
