"""Requests that ask the same at the same time share an answer, and none is given an older one."""

import asyncio
from collections.abc import Callable
from threading import Event

import pytest
from batchlab_api.shared import Shared


class Slow:
    """A read that waits until it is let go; it tells which read it was."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = Event()

    def __call__(self, key: str) -> bytes:
        self.begun.append(key)
        number = len(self.begun)
        self.gate.wait(10)
        return f"{key} {number}".encode()


async def come_true(what: Callable[[], bool]) -> None:
    while not what():
        await asyncio.sleep(0.001)


def test_whoever_comes_during_a_read_shares_the_next_one() -> None:
    async def ask() -> list[bytes]:
        slow = Slow()
        shared = Shared(slow)
        first = asyncio.create_task(shared.get("a"))
        await come_true(lambda: len(slow.begun) == 1)
        others = [asyncio.create_task(shared.get("a")) for _ in range(50)]
        other = asyncio.create_task(shared.get("b"))
        await come_true(lambda: len(slow.begun) == 2)
        slow.gate.set()
        return await asyncio.gather(first, *others, other)

    first, *others, other = asyncio.run(ask())
    assert (first, set(others), other) == (b"a 1", {b"a 3"}, b"b 2")


def test_one_that_goes_away_takes_the_answer_from_nobody() -> None:
    async def ask() -> bytes:
        slow = Slow()
        shared = Shared(slow)
        leaves, stays = (asyncio.create_task(shared.get("a")) for _ in range(2))
        await come_true(lambda: len(slow.begun) == 1)
        leaves.cancel()
        slow.gate.set()
        return await stays

    assert asyncio.run(ask()) == b"a 1"


def test_an_error_is_told_to_all_and_the_next_request_reads_again() -> None:
    broken = [True]

    def read(key: str) -> bytes:
        if broken:
            raise KeyError(key)
        return b"well"

    async def ask() -> bytes:
        shared = Shared(read)
        for error in await asyncio.gather(*(shared.get("a") for _ in range(3)), return_exceptions=True):
            assert isinstance(error, KeyError)
        broken.clear()
        return await shared.get("a")

    assert asyncio.run(ask()) == b"well"


def test_an_error_of_a_lone_request_is_raised() -> None:
    def read(key: str) -> bytes:
        raise KeyError(key)

    with pytest.raises(KeyError):
        asyncio.run(Shared(read).get("a"))
