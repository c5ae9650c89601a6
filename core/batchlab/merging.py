"""Merging partial documents: variants over a spec, overrides over a study (JSON Merge Patch, RFC 7396)."""

from typing import Any

from batchlab.kinds import Strict


def merge(target: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396): objects merge key by key, null removes a key, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def document(spec: Strict) -> dict[str, Any]:
    """The shortest document that means `spec`, without variants: defaults are left out, so that a variant of another
    kind does not inherit those of the kind that it replaces."""
    return {key: value for key, value in _short(spec).items() if key != "variants"}


def _short(value: Any) -> Any:
    if isinstance(value, Strict):
        fields = type(value).model_fields
        given = {name: getattr(value, name) for name in fields}
        return {n: _short(v) for n, v in given.items() if n in ("kind", "rule") or v != fields[n].get_default()}
    return [_short(item) for item in value] if isinstance(value, tuple) else value
