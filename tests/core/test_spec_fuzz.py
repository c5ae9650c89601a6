"""Whatever JSON is posted: a spec or a SpecError, nothing else."""

from typing import Any

from batchlab.errors import SpecError
from batchlab.experiment import ExperimentSpec
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec
from hypothesis import given, settings
from hypothesis import strategies as st

BASE: dict[str, Any] = {
    "dataset": {"kind": "iris"},
    "model": {"kind": "mlp"},
    "batch_sizes": [10, "full"],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 1},
}
WORDS = st.sampled_from(
    [
        "kind",
        "rule",
        "name",
        "base",
        "values",
        "steps",
        "test",
        "full",
        "10%",
        "adam",
        "sgd",
        "warmup",
        "then",
        "\0",
        "é",
        "",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.sampled_from([2**64, -1, 1e308, 1e-320, 10**30])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)
FIELDS = st.sampled_from([*ExperimentSpec.model_fields])
KINDS = st.fixed_dictionaries(
    {},
    optional={
        "dataset": st.fixed_dictionaries(
            {"kind": st.sampled_from(["iris", "digits", "diabetes"])}, optional={"validation": SCALARS}
        ),
        "model": st.fixed_dictionaries(
            {"kind": st.sampled_from(["mlp", "cnn"])}, optional={"widths": JSON, "channels": JSON}
        ),
        "lr": st.fixed_dictionaries(
            {"rule": st.sampled_from(["fixed", "power", "table"])},
            optional={"base": JSON, "base_batch": JSON, "exponent": SCALARS, "values": JSON},
        ),
        "optimizer": st.fixed_dictionaries({"kind": st.sampled_from(["sgd", "adam"])}, optional={"weight_decay": JSON}),
        "schedule": st.fixed_dictionaries({"kind": st.just("warmup"), "length": SCALARS}, optional={"then": JSON}),
        "budget": st.fixed_dictionaries({"steps": SCALARS}),
        "variants": st.lists(st.dictionaries(FIELDS, JSON, max_size=3), max_size=3),
    },
)
ANY = st.dictionaries(st.sampled_from([*ExperimentSpec.model_fields, "$schema", "other"]), JSON, max_size=4)


@settings(max_examples=300, deadline=None)
@given(KINDS, ANY)
def test_any_document_is_a_spec_or_refused_with_paths(kinds: dict[str, Any], wild: dict[str, Any]) -> None:
    document = BASE | kinds | wild
    try:
        spec = parse_spec(document)
        plan(spec, WorkLimits(1000, 10**9))
    except SpecError as error:
        assert error.faults
        assert all(fault.msg for fault in error.faults)
        return
    assert parse_spec(spec.model_dump(mode="json")) == spec
