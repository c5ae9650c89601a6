"""The door for specs: JSON in, a checked ExperimentSpec out, or a SpecError that lists every fault with its path."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from batchlab import complaints
from batchlab.errors import Loc, SpecError
from batchlab.experiment import Budget, Evaluate, ExperimentSpec
from batchlab.merging import difference
from batchlab.sweep import Arm, arms

__all__ = ["Budget", "Evaluate", "ExperimentSpec", "arms_of", "parse_spec"]


def parse_spec(data: Any) -> ExperimentSpec:
    """The spec in a document (a dict, or JSON as text or bytes); `$schema` is ignored. SpecError lists every fault.

    Its variants are what they change in the rest with its defaults filled in, so that the spec as it is stored, where
    nobody can tell what was posted from what was filled in, has the same cells.
    """
    document = _load(data) if isinstance(data, str | bytes | bytearray) else data
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key != "$schema"}
    spec = _validate(document)
    found = arms_of(spec)
    return _filled_in(spec, found) if spec.variants else spec


def arms_of(spec: ExperimentSpec) -> tuple[Arm, ...]:
    """The variants of a spec with their axes resolved; SpecError where they do not fit together."""
    return arms(spec, _validate)


def _filled_in(spec: ExperimentSpec, found: Sequence[Arm]) -> ExperimentSpec:
    rest = _rest(spec)
    variants = [{"name": arm.variant} | difference(rest, _rest(arm.spec)) for arm in found]
    return _validate(rest | {"variants": variants})


def _rest(spec: ExperimentSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", exclude={"variants"})


def _load(text: str | bytes | bytearray) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError.at((), f"not JSON: {error}") from error


def _validate(document: Any) -> ExperimentSpec:
    nul = _nul(document)
    if nul is not None:
        raise SpecError.at(nul, "holds a NUL character: remove it")
    try:
        return ExperimentSpec.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise SpecError(complaints.faults(error, document)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError.at((), f"not a JSON document: {error}") from error


def _nul(value: Any, loc: Loc = ()) -> Loc | None:
    """The path of the first text with a NUL in it, which no database takes."""
    if isinstance(value, str):
        return loc if "\0" in value else None
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found = (*loc, key) if isinstance(key, str) and "\0" in key else _nul(item, (*loc, key))
        if found is not None:
            return found
    return None
