"""What this lab can do, as data: every kind with its schema, the schema of a spec, the facts of the data sets."""

from inspect import getdoc
from typing import Any, get_args

from batchlab import analyses, batch_schedules, keeping, lr_rules, models, optimizers, probes, schedules, surfaces
from batchlab import datasets as data_sets
from batchlab.cell import Loss, Precision, Reduction, Shuffle
from batchlab.engines import NAMES
from batchlab.experiment import ExperimentSpec
from batchlab.init import Scheme
from batchlab.kinds import Kind, members
from batchlab.methods import adversaries, augmentations, averages

DRAFT_07 = "http://json-schema.org/draft-07/schema#"
FAMILIES: dict[str, Any] = {
    "datasets": data_sets.Dataset,
    "models": models.Model,
    "optimizers": optimizers.Optimizer,
    "lr_rules": lr_rules.LrRule,
    "schedules": schedules.Schedule,
    "batch_schedules": batch_schedules.BatchSchedule,
    "probes": probes.Probe,
    "norms": models.Norm,
    "analyses": analyses.Analysis,
    "adversaries": adversaries.Adversary,
    "augmentations": augmentations.Augmentation,
    "surfaces": surfaces.Surface,
    "averages": averages.Average,
    "checkpoints": keeping.Keep,
}
"""Each family's union, which is its registry."""
CHOICES: dict[str, Any] = {
    "init": get_args(Scheme),
    "loss": get_args(Loss),
    "precision": get_args(Precision),
    "reduction": get_args(Reduction),
    "shuffle": get_args(Shuffle),
    "engine": NAMES,
}


def catalog() -> dict[str, Any]:
    """By family: `{kind: {"schema", "doc"}}`; and the choices of the plain fields."""
    families = {family: {tag(cls): _entry(cls) for cls in members(union)} for family, union in FAMILIES.items()}
    return families | {"choices": {name: list(values) for name, values in CHOICES.items()}}


def tag(cls: type[Any]) -> str:
    """The literal by which specs name this member of a family (its `kind` or `rule`)."""
    fields = cls.model_fields
    return str(fields["kind" if "kind" in fields else "rule"].default)


def _entry(cls: type[Kind]) -> dict[str, Any]:
    schema = cls.model_json_schema()
    if "$ref" in schema:  # a kind that holds its own family is put among the definitions: show it on top as well
        schema = schema["$defs"][cls.__name__] | {"$defs": schema["$defs"]}
    return {"schema": draft_07(schema), "doc": getdoc(cls) or ""}


def datasets() -> list[dict[str, Any]]:
    """Facts about each data set: name, rows, shape of a row, classes (null in regression), sha256 where known."""
    return [_facts(cls) for cls in data_sets.standalone()]


def _facts(cls: Any) -> dict[str, Any]:
    info = cls().info()
    return {
        "name": tag(cls),
        "doc": getdoc(cls) or "",
        "rows": info.rows,
        "test_rows": info.test_rows,
        "shape": list(info.shape),
        "classes": info.classes,
        "task": info.task,
        "sha256": info.sha256,
        "bundled": cls.bundled,
    }


def experiment_schema() -> dict[str, Any]:
    """The JSON Schema of a spec, in draft 7 (editors know no newer one)."""
    schema = draft_07(ExperimentSpec.model_json_schema())
    schema["properties"]["$schema"] = {"type": "string", "description": "This schema's address: ignored by the lab."}
    return {"$schema": DRAFT_07, **schema}


def draft_07(schema: Any) -> Any:
    """A schema of pydantic's (2020-12) in draft 7, its tagged unions told apart by required constants."""
    if isinstance(schema, list):
        return [draft_07(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {"$defs": "definitions", "prefixItems": "items"}
    plain = {renamed.get(key, key): draft_07(value) for key, value in schema.items() if key != "discriminator"}
    if isinstance(plain.get("$ref"), str):
        plain["$ref"] = plain["$ref"].replace("#/$defs/", "#/definitions/")
        # Draft 7 ignores whatever stands beside a $ref.
        return plain if len(plain) == 1 else {"allOf": [{"$ref": plain.pop("$ref")}], **plain}
    constant = [name for name, field in plain.get("properties", {}).items() if "const" in field]
    if constant:
        plain["required"] = sorted({*plain.get("required", []), *constant})
    return plain
