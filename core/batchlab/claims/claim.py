"""A claim: a sentence of a source, with the test that decides whether the data at hand bear it out."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from batchlab.claims.evidence import At
from batchlab.claims.tests import Test
from batchlab.errors import Fault

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Sentence = Annotated[str, Field(min_length=1, max_length=1000)]
Maybe: Any = Test | None


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True))
class Claim:
    """A sentence of a source that measured data can support or contradict."""

    id: Name
    """Short, in kebab case."""
    text: Sentence
    """What is said."""
    source: Annotated[str, Field(max_length=200)] = ""
    """Who says it, where."""
    test: Maybe = None
    """How the data decide; without it the verdict is inconclusive."""


def faults(claims: Sequence[Claim], variants: Sequence[Any], others: Sequence[Claim] = ()) -> list[Fault]:
    """Claims of a spec that share their id, or have that of one of its study's `others`, or speak of a variant that
    there is not."""
    taken = {claim.id for claim in others}
    times = Counter(claim.id for claim in claims)
    found = []
    for i, claim in enumerate(claims):
        if times[claim.id] > 1:
            found.append(Fault(("claims", i, "id"), f"{claim.id!r} is there twice: give each claim its own"))
        if claim.id in taken:
            found.append(Fault(("claims", i, "id"), f"{claim.id!r} is a claim of this study: choose another"))
        for name, place in places(claim.test).items():
            if place.variant is not None and place.variant not in variants:
                loc = ("claims", i, "test", name, "variant")
                found.append(Fault(loc, f"there is no variant {place.variant!r} here: name one of this spec's"))
    return found


def places(test: Any) -> dict[str, At]:
    """The cells that a test looks at, by the name of its field."""
    values = {} if test is None else {name: getattr(test, name) for name in type(test).model_fields}
    return {name: value for name, value in values.items() if isinstance(value, At)}
