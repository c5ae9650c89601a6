"""Merging partial documents: variants over a spec, overrides over a study (JSON Merge Patch, RFC 7396)."""

from typing import Any


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


def difference(before: Any, after: Any) -> Any:
    """The shortest patch that makes `after` of `before`; a null in `after` where there was something removes it."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    removed: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
    return dict(sorted(removed.items())) | {key: difference(before.get(key), new) for key, new in changed.items()}
