"""Renders plots: a few at a time, each chart once while nothing it shows has changed."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from batchlab_api.problems import ProblemError

AT_ONCE = 2
WAIT_SECONDS = 20.0
KEPT_BYTES = 64_000_000


class Renderer:
    """Keeps the pictures last asked for, by a key that names all that they depend on."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes, self._most = 0, kept_bytes

    def get(self, key: str, render: Callable[[], bytes]) -> bytes:
        """The picture named `key`, from the shelf or by `render`. Raises where too many are being rendered."""
        if (found := self._find(key)) is not None:
            return found
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise ProblemError("busy", "too many plots are being rendered", headers={"Retry-After": "10"})
        try:
            # Somebody else may have rendered it while this one waited.
            if (made := self._find(key)) is None:
                made = render()
                self._keep(key, made)
        finally:
            self._slots.release()
        return made

    def _find(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: str, made: bytes) -> None:
        with self._lock:
            self._bytes += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self._bytes > self._most:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)
