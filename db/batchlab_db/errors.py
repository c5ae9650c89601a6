"""The errors of the database package.

DatabaseRefusal
├── NotFound     there is no such experiment (or it was deleted)
├── NotAllowed   its present state does not allow it; the text says what would
├── InUse        somebody needs it: the text says who
├── NameTaken    there is a data set of this name already
├── KeyReused    an idempotency key came back with another body
├── BadCursor    that is no cursor of this list
└── DiskFull     the database's volume is nearly full: nothing new is taken
Fenced           the lease is no longer ours: stop, and write nothing more
"""


class DatabaseRefusal(Exception):
    """Something that was asked for and is not done."""


class NotFound(DatabaseRefusal):
    """There is no such experiment."""


class NotAllowed(DatabaseRefusal):
    """The present state of the experiment does not allow this."""


class InUse(DatabaseRefusal):
    """Something that is stored needs it."""


class NameTaken(DatabaseRefusal):
    """There is a data set of this name already."""


class KeyReused(DatabaseRefusal):
    """This idempotency key was used with another body: send a new key with a new experiment."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class BadCursor(DatabaseRefusal):
    """That is no cursor of this list: take `next` of its page before, with the same filters."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Fenced(Exception):
    """The cohort was cancelled, paused, rescued or handed to another worker: it is no longer ours."""
