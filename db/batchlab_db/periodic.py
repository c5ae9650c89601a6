"""Threads that do something again and again, whatever goes wrong in between."""

import random
import threading
import time
from collections.abc import Callable, Sequence

import structlog

log = structlog.get_logger("batchlab.periodic")


class Every(threading.Thread):
    """Calls `act` at once and then about every `seconds` (with a share `jitter` of it at random) until stopped.

    An error is logged and the next call comes all the same: what runs here must not die silently. `last_success` tells
    by the monotonic clock when a call last ended well. Calls that take more than `share` of the time come less often,
    but at least every `longest` seconds.
    """

    def __init__(
        self,
        name: str,
        seconds: float,
        act: Callable[[], object],
        jitter: float = 0.0,
        *,
        share: float = 1.0,
        longest: float = 0.0,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._seconds, self._act, self._jitter = seconds, act, jitter
        self._share, self._longest = share, longest
        self._done = threading.Event()
        self._hurry = threading.Event()
        self.last_success: float | None = None

    def run(self) -> None:
        while not self._done.is_set():
            began = time.monotonic()
            self._attempt()
            self._hurry.wait(self.pause(time.monotonic() - began) * (1 + self._jitter * random.uniform(-1, 1)))
            self._hurry.clear()

    def pause(self, took: float) -> float:
        """Seconds until the next call, after one that took so many."""
        return max(self._seconds, min(took / self._share, self._longest) - took)

    def now(self) -> None:
        """Have the next call come at once."""
        self._hurry.set()

    def stop(self, timeout: float | None = None) -> None:
        """Call no more, and wait for the call under way, but not longer than `timeout` seconds."""
        self._done.set()
        self._hurry.set()
        if self.ident is not None:
            self.join(timeout)

    @staticmethod
    def stop_all(threads: Sequence["Every"], timeout: float) -> None:
        """Stop several at once, waiting no longer than `timeout` seconds for all of them together."""
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.stop(0.0)
        for thread in threads:
            thread.stop(max(0.0, deadline - time.monotonic()))

    def _attempt(self) -> None:
        try:
            self._act()
            self.last_success = time.monotonic()
        except Exception as error:
            log.warning("failed, will try again", thread=self.name, error=f"{type(error).__name__}: {error}"[:300])
