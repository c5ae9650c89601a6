"""The errors of the core.

    BatchlabError
    ├── SpecError        the posted experiment is wrong: every fault with its path and a remedy
    │   └── TooLargeError    it is well formed but over a limit: refused with the numbers
    ├── DataError        a data set is missing, damaged or of the wrong shape
    └── CellTimeout      a cell has trained for as long as its spec allows

Core knows no HTTP: the api maps each class to a status in one table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a spec: where (`loc`, a path of keys and indices) and what to do about it (`msg`)."""

    loc: Loc
    msg: str


class BatchlabError(Exception):
    """Something that the user can mend."""


MOST_FAULTS = 100


class SpecError(BatchlabError):
    """The experiment's spec is wrong. At most a hundred faults are told."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:MOST_FAULTS])
        super().__init__("; ".join(f"{'.'.join(map(str, f.loc)) or 'spec'}: {f.msg}" for f in self.faults))

    @classmethod
    def at(cls, loc: Loc, msg: str) -> "SpecError":
        """The error that tells this one fault."""
        return cls([Fault(loc, msg)])


class TooLargeError(SpecError):
    """The experiment is over a limit of this lab."""


class DataError(BatchlabError):
    """A data set is missing, damaged or of the wrong shape."""


class CellTimeout(BatchlabError):
    """A cell has trained for as long as `limits.seconds_per_cell` of its spec allows."""
