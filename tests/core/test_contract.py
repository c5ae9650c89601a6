"""One battery for every kind of every family: being listed in a union is being tested."""

import math
from inspect import getdoc
from pathlib import Path
from typing import Any, cast

import jsonschema
import numpy as np
import pytest
from batchlab.batch_plan import BatchPlan, Run
from batchlab.catalog import FAMILIES, catalog, tag
from batchlab.kinds import members
from batchlab.schedules import Clock
from pydantic import TypeAdapter, ValidationError

REQUIRED: dict[str, dict[str, Any]] = {
    "fixed": {"base": 0.1},
    "linear": {"base": 0.1, "base_batch": 32},
    "sqrt": {"base": 0.1, "base_batch": 32},
    "power": {"base": 0.1, "base_batch": 32, "exponent": 0.7},
    "table": {"values": {"64": 0.1}},
    "list": {"values": [0.1, 0.2]},
    "saturating": {"max": 1.0, "noise_scale": 100.0},
    "iso_noise": {"base": 0.1, "base_batch": 32},
    "iso_effective": {"base": 0.1},
    "adam_sde": {"base": 0.001, "base_batch": 32},
    "multistep": {"milestones": [0.5, 0.75]},
    "warmup": {"length": 0.1},
    "step": {"every": 0.3},
    "piecewise": {"milestones": [0.5], "values": [1.0, 0.5]},
    "join": {
        "pieces": [{"schedule": {"kind": "cosine"}, "length": 0.3}, {"schedule": {"kind": "sgdr"}, "length": 0.7}]
    },
    "scale": {"by": 0.5},
    "steps": {"milestones": [0.5], "sizes": [64]},
    "growth": {"milestones": [0.5]},
    "batch_schedules.linear": {},
    "batch_schedules.warmup": {"length": 0.1},
    "instead_of_decay": {"schedule": {"kind": "multistep", "milestones": [0.5]}},
    "product": {"schedules": [{"kind": "triangular"}, {"kind": "exponential"}]},
    "user": {"name": "mine", "sha256": "0" * 64, "rows": 10, "shape": [3], "classes": 2},
    "inline": {"x": [[-2.0], [0.0], [2.0]], "y": [0.0, 0.0, 0.0]},
    "at": {"updates": [0, 10]},
}
"""What a member cannot do without, by family where two share a name."""
NEEDY = ("datasets", "lr_rules", "schedules", "batch_schedules", "checkpoints")
"""Families that those are in."""
ALL = [(family, member) for family, union in FAMILIES.items() for member in members(union)]


def example(family: str, member: type[Any]) -> dict[str, Any]:
    """The shortest document of a member."""
    key = "rule" if family == "lr_rules" else "kind"
    given = REQUIRED.get(f"{family}.{tag(member)}", REQUIRED.get(tag(member), {})) if family in NEEDY else {}
    return {key: tag(member), **given}


def make(family: str, member: type[Any]) -> Any:
    return TypeAdapter(FAMILIES[family]).validate_json(TypeAdapter(dict).dump_json(example(family, member)))


def of(family: str) -> Any:
    """Every member of a family, as test parameters."""
    found = [make(family, member) for member in members(FAMILIES[family])]
    return pytest.mark.parametrize("member", found, ids=[tag(type(member)) for member in found])


everyone = pytest.mark.parametrize(("family", "member"), ALL, ids=[f"{f}-{tag(m)}" for f, m in ALL])


@everyone
def test_it_says_what_it_is(family: str, member: type[Any]) -> None:
    doc = getdoc(member)
    assert doc
    assert doc != getdoc(member.__mro__[1])


@everyone
def test_it_survives_json(family: str, member: type[Any]) -> None:
    kind = make(family, member)
    assert type(kind) is member
    assert TypeAdapter(FAMILIES[family]).validate_json(kind.model_dump_json()) == kind


@everyone
def test_it_refuses_unknown_keys_and_never_changes(family: str, member: type[Any]) -> None:
    with pytest.raises(ValidationError):
        member.model_validate({**example(family, member), "unheard_of": 1})
    with pytest.raises(ValidationError):
        make(family, member).kind = "other"


@everyone
def test_its_schema_takes_its_shortest_document_and_asks_for_its_name(family: str, member: type[Any]) -> None:
    schema = catalog()[family][tag(member)]["schema"]
    document = example(family, member)
    jsonschema.Draft7Validator(schema).validate(document)
    nameless = {key: value for key, value in document.items() if key not in ("kind", "rule")}
    assert not jsonschema.Draft7Validator(schema).is_valid(nameless)


@everyone
def test_its_numbers_are_bounded_or_documented(family: str, member: type[Any]) -> None:
    """A field without bounds or choices must at least say what it is."""
    schema = catalog()[family][tag(member)]["schema"]["properties"]
    bare = [
        name
        for name, field in schema.items()
        if field.get("type") == "number" and not field.keys() & {"minimum", "exclusiveMinimum", "description"}
    ]
    assert bare == []


@of("datasets")
def test_a_dataset_knows_its_rows_before_it_is_loaded(member: Any) -> None:
    info = member.info()
    assert 0 < member.train_rows() <= info.rows
    assert member.train_rows() + member.held_out == info.rows
    assert info.outputs == (info.classes or 1)


@of("datasets")
def test_a_bundled_dataset_gives_what_it_announces(member: Any, tmp_path: Path) -> None:
    if not member.available(tmp_path):
        assert not member.bundled
        return
    data = member.load(tmp_path)
    assert data.x.shape == (member.info().rows, *member.info().shape)
    assert np.isfinite(data.x).all()


def rows_for(model: Any) -> tuple[tuple[int, ...], int]:
    """The shape of a row that the model takes, and how many numbers it gives."""
    return ((2,), 1) if model.gives_loss else ((1, 12, 12), 3)


@of("models")
def test_a_model_names_its_parameters_without_building_them(member: Any) -> None:
    inputs, outputs = rows_for(member)
    announced = member.parameters(inputs, outputs)
    built = {name: tuple(p.shape) for name, p in member.build(inputs, outputs).named_parameters()}
    assert list(announced.items()) == list(built.items())


@of("models")
def test_a_model_maps_rows_to_outputs(member: Any) -> None:
    import torch

    inputs, outputs = rows_for(member)
    assert member.build(inputs, outputs)(torch.zeros(5, *inputs)).shape == (5, outputs)


@of("optimizers")
def test_an_optimizer_moves_weights_downhill(member: Any) -> None:
    import torch

    w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = member.build([w], 0.1, 0.0 if member.has_momentum else None)

    def gradient() -> torch.Tensor:
        w.grad = None
        loss = w.square().sum() / 2
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    gradient()
    optimizer.step(gradient)
    assert w.square().sum() < 5.0


@of("optimizers")
def test_every_number_of_an_optimizer_can_be_an_axis(member: Any) -> None:
    for name, value in member.numbers().items():
        document = member.model_dump(mode="json") | {name: [value, value / 2 + 0.1]}
        axis = type(member).model_validate_json(TypeAdapter(dict).dump_json(document))
        assert axis.numbers()[name] == (value, value / 2 + 0.1)
        assert axis.at({name: 0.25}).numbers()[name] == 0.25
        with pytest.raises(TypeError, match="axis of the sweep"):
            axis.build([], 0.1, None)


@of("lr_rules")
def test_a_rule_gives_positive_rates(member: Any) -> None:
    rates = member.rates(64, 64)
    assert rates
    assert all(0 < rate < math.inf for rate in rates)
    member.check([(64, 64)])


@of("schedules")
def test_a_schedule_is_a_pure_function_of_the_update(member: Any) -> None:
    clock, done = Clock(100, 10), np.arange(130, dtype=np.float64)
    together = member.factors(done, clock)
    assert together.shape == done.shape
    assert together.dtype == np.float64
    assert np.isfinite(together).all()
    assert (together >= 0).all()
    alone = np.concatenate([member.factors(done[i : i + 1], clock) for i in range(130)])
    np.testing.assert_allclose(alone, together, rtol=1e-15)


@of("batch_schedules")
def test_a_batch_schedule_takes_every_row_of_every_epoch_once(member: Any) -> None:
    run = Run(rows=120, batch_size=10, length=1200, counted="rows")
    plan = BatchPlan.of(run, member.changes(run))
    seen = plan.seen(np.arange(plan.steps + 1))
    assert seen[-1] == 1200
    assert set(range(0, 1201, 120)) <= set(seen.tolist())
    assert (np.diff(seen) <= plan.sizes(np.arange(plan.steps))).all()
    factors = member.rate_factors(np.arange(plan.steps, dtype=np.float64), plan, run)
    assert np.isfinite(factors).all()
    assert (factors > 0).all()


@of("probes")
@pytest.mark.parametrize("size", [1, 4], ids=["few numbers", "many numbers"])
def test_a_probe_gives_the_metrics_that_it_announces(member: Any, size: int) -> None:
    shapes = {"a.weight": (size, 1), "a.bias": (size,), "b.weight": (1, size)}
    if member.fault(shapes):
        assert size > 1
        return
    announced = member.metrics(shapes)
    if member.need is None:
        assert announced == ()
        assert member.evaluated
        return
    columns = len(shapes) if hasattr(member, "prefix") else len(announced)
    values = member.values(np.outer([1.0, 0.0], 1.0 + np.arange(columns)), shapes)
    assert tuple(values) == announced
    assert len(set(announced)) == len(announced)
    assert {found.shape for found in values.values()} == {(2,)}


@of("probes")
def test_a_norm_of_all_parameters_is_that_of_their_norms(member: Any) -> None:
    if not hasattr(member, "prefix"):
        return
    shapes = {"a.weight": (2, 2), "a.bias": (2,), "b.weight": (7,)}
    whole = member.values(np.array([[3.0, 4.0, 12.0], [0.0, 0.0, 0.0]]), shapes)[member.prefix]
    assert whole.tolist() == [13.0, 0.0]


@of("surfaces")
def test_a_surface_is_one_formula_for_numpy_and_torch(member: Any) -> None:
    import torch

    x, y = np.random.default_rng(0).uniform(-2, 2, (2, 50))
    in_torch = member.value(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(in_torch.numpy(), member.value(x, y), rtol=1e-12)
    assert math.isfinite(member.value(*member.start))


@of("checkpoints")
def test_a_policy_names_no_more_updates_than_it_counts(member: Any) -> None:
    paced = Clock(100, 10, pace=lambda done: 3 * done, planned=34)
    for clock in (Clock(100, 10), Clock(1, 1), Clock(12_345, 7), paced):
        steps = member.steps(clock)
        assert len(steps) <= member.count(clock)
        assert (np.diff(steps) > 0).all()


def test_no_two_members_share_a_name() -> None:
    for family, union in FAMILIES.items():
        names = [tag(cast("type[Any]", member)) for member in members(union)]
        assert len(set(names)) == len(names), family
