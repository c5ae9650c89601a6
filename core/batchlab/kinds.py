"""What every kind (dataset, model, optimizer, lr rule, schedule, probe) is made of.

A kind is a small frozen pydantic class with a literal `kind`, documented parameters and one method. The union at the
bottom of each family's file is its registry: validation, error messages, JSON Schema, catalogue and the contract test
all follow from it. Installed packages add members through the entry point group `batchlab.kinds` (a name of the form
`family.anything` whose value is a class), read once at import. As they build on the family's own module, the classes of
each family live in a module of their own, and a program imports `batchlab.spec` before it.
"""

from collections import Counter
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

T = TypeVar("T")


def one_or_many(value: Any) -> Literal["one", "many"]:
    """Which of the two a document means: the tag of `OneOrMany`'s members."""
    return "many" if isinstance(value, list | tuple) else "one"


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    value, times = Counter(values).most_common(1)[0]
    if times > 1:
        raise ValueError(f"each value once: {value} is there {'twice' if times == 2 else f'{times} times'}")
    return values


Many = Annotated[tuple[T, ...], Field(min_length=1), AfterValidator(_distinct)]
"""A list of different values."""
OneOrMany = Annotated[Annotated[T, Tag("one")] | Annotated[Many[T], Tag("many")], Discriminator(one_or_many)]
"""A value, or a list of values: an axis of the sweep. Lists live only in a spec; a cell holds plain numbers."""


def many(value: Any) -> tuple[Any, ...]:
    """The axis that a `OneOrMany` means."""
    return value if isinstance(value, tuple) else (value,)


class Strict(BaseModel):
    """Immutable, and unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Kind(Strict):
    """A member of a family; subclasses declare `kind: Literal["name"] = "name"`."""

    family: ClassVar[str] = ""

    @classmethod
    def tag(cls) -> str:
        """The literal by which specs name this kind."""
        return str(cls.model_fields["kind"].default)


@cache
def plugins(family: str) -> tuple[type[Kind], ...]:
    """The members that installed packages add to `family`."""
    found = sorted(entry_points(group="batchlab.kinds"), key=lambda entry: entry.name)
    return tuple(_load(entry) for entry in found if entry.name.split(".")[0] == family)


def _load(entry: EntryPoint) -> type[Kind]:
    try:
        loaded: type[Kind] = entry.load()
    except AttributeError as error:
        raise ImportError(f"{entry.value} is not there yet: import batchlab.spec before {entry.module}") from error
    return loaded


def union(family: str, *members: type[Kind], tag: str = "kind") -> Any:
    """The discriminated union of a family's own members and the installed ones."""
    everyone = (*members, *plugins(family))
    return everyone[0] if len(everyone) == 1 else Annotated[Union[everyone], Field(discriminator=tag)]  # noqa: UP007


def members(alias: Any) -> tuple[type[Kind], ...]:
    """The classes in a union made by `union`."""
    inner = getattr(alias, "__origin__", alias)
    return getattr(inner, "__args__", (inner,))
