"""Answers that requests share which ask the same at the same time.

A request takes part in a read that begins after it came, so none is told what was true before it asked; and however
many ask, one read at a time is made for all of them.
"""

from asyncio import Future, Task, create_task, get_running_loop, shield
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool


class Shared:
    """What `read(key)` gives, which runs in a thread. Used from one event loop."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._next: dict[str, Future[bytes]] = {}
        """By key: what those wait for who came after the read under way began."""
        self._tasks: dict[str, Task[None]] = {}

    async def get(self, key: str) -> bytes:
        """The answer; raises what `read` raises."""
        if key not in self._next:
            self._next[key] = get_running_loop().create_future()
            if key not in self._tasks:
                self._tasks[key] = create_task(self._serve(key))
        return await shield(self._next[key])  # one that goes away takes the answer from nobody

    async def _serve(self, key: str) -> None:
        while (waited := self._next.pop(key, None)) is not None:
            try:
                waited.set_result(await run_in_threadpool(self._read, key))
            except Exception as error:
                waited.set_exception(error)
        del self._tasks[key]
