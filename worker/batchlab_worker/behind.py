"""Storing a block while the next one is trained: one act behind, never two."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Behind:
    """Runs one act at a time, in a thread of its own where `apart`; a context manager, which waits for the last act.

    What an act raises is raised by the next `wait`. Where the body of the context failed as well, the act's error is
    the one that leaves it: a lease that is lost explains the rest.
    """

    def __init__(self, *, apart: bool) -> None:
        self._pool = ThreadPoolExecutor(1, "store") if apart else None
        self._act: Future[None] | None = None

    def __enter__(self) -> "Behind":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self.wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown()

    def wait(self) -> None:
        """Until nothing is under way."""
        act, self._act = self._act, None
        if act is not None:
            act.result()

    def run(self, act: Callable[[], None]) -> None:
        """Begin `act`, once the one before it has ended; without a thread, also end it."""
        self.wait()
        if self._pool is None:
            act()
        else:
            self._act = self._pool.submit(act)
