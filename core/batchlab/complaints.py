"""From pydantic's errors to ours: paths without the names of union members, and what to do about each fault."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from batchlab.errors import MOST_FAULTS, Fault, Loc
from batchlab.kinds import Strict


def faults(error: ValidationError, data: Any) -> list[Fault]:
    """The faults of `error`, as many as are told, with their paths in `data`, the document that was refused."""
    details = [(detail, _path(detail, data)) for detail in error.errors(include_url=False)[:MOST_FAULTS]]
    above = {loc[:length] for _, loc in details for length in range(len(loc))}
    # What is wrong in a list does not count as its member: "too short" would only repeat that.
    told = [(detail, loc) for detail, loc in details if detail["type"] != "too_short" or loc not in above]
    found = [_fault(detail, loc) for detail, loc in told]
    return list({fault.loc: fault for fault in reversed(found)}.values())[::-1]


def below(found: Sequence[Fault], prefix: Callable[[str], Loc]) -> list[Fault]:
    """The faults with their paths below `prefix(first key)`."""
    return [Fault((*prefix(str(fault.loc[0]) if fault.loc else ""), *fault.loc), fault.msg) for fault in found]


def _fault(detail: ErrorDetails, loc: Loc) -> Fault:
    context = detail.get("ctx", {})
    if detail["type"].startswith("union_tag"):
        loc = (*loc, str(context["discriminator"]).strip("'"))
    return Fault(loc, _message(detail, context, str(loc[-1]) if loc else "spec", str(loc[-2]) if loc[1:] else "spec"))


def _message(detail: ErrorDetails, context: Mapping[str, Any], key: str, parent: str) -> str:
    def unknown() -> str:
        return f"unknown key: remove it{_hint(key)}"

    ours: dict[str, Callable[[], str]] = {
        "missing": lambda: "required: add it",
        "extra_forbidden": unknown,
        "unexpected_keyword_argument": unknown,
        "union_tag_invalid": lambda: f"no such {key}: use one of {context['expected_tags'].replace(chr(39), '')}",
        "union_tag_not_found": lambda: f"required: say which {parent} this is",
        "too_short": lambda: f"needs at least {context['min_length']}",
        "value_error": lambda: str(context["error"]),
    }
    return ours.get(detail["type"], lambda: detail["msg"])()


def _path(detail: ErrorDetails, data: Any) -> Loc:
    """The error's path without what is not in the document (the tags of union members)."""
    path: list[str | int] = []
    last = len(detail["loc"]) - 1
    for i, key in enumerate(detail["loc"]):
        named = detail["type"] == "missing" and i == last
        if named or (isinstance(data, dict) and key in data):
            path.append(key)
            data = data.get(key) if isinstance(data, dict) else None
        elif isinstance(data, list) and isinstance(key, int):
            path.append(key)
            data = data[key] if key < len(data) else None
    return tuple(path)


def _hint(key: str) -> str:
    near = get_close_matches(key, _known_keys(), n=1, cutoff=0.75)
    return f" (did you mean {near[0]}?)" if near else ""


@cache
def _known_keys() -> tuple[str, ...]:
    """Every field of every class that a spec is made of."""

    def below(cls: type[Strict]) -> set[str]:
        return set(cls.model_fields).union(*(below(sub) for sub in cls.__subclasses__()))

    return tuple(sorted(below(Strict)))
