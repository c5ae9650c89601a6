"""Storing one block while the next is trained."""

import threading

import pytest
from batchlab_worker.behind import Behind

PATIENCE = 10.0


def test_the_body_goes_on_while_an_act_is_under_way() -> None:
    going_on, stored = threading.Event(), threading.Event()

    def act() -> None:
        assert going_on.wait(PATIENCE)
        stored.set()

    with Behind(apart=True) as behind:
        behind.run(act)
        assert not stored.is_set()
        going_on.set()
    assert stored.is_set()


def test_acts_follow_each_other_and_are_never_two_at_once() -> None:
    seen: list[str] = []

    def act(name: str) -> None:
        seen.extend([f"{name} begins", f"{name} ends"])

    with Behind(apart=True) as behind:
        for name in "abc":
            behind.run(lambda name=name: act(name))
    assert seen == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


def test_without_a_thread_an_act_has_ended_when_run_returns() -> None:
    threads: list[int] = []
    with Behind(apart=False) as behind:
        behind.run(lambda: threads.append(threading.get_ident()))
        assert threads == [threading.get_ident()]


def refuse() -> None:
    raise ValueError("the lease is lost")


def test_what_an_act_raises_is_raised_once_by_the_next_wait() -> None:
    with Behind(apart=True) as behind:
        behind.run(refuse)
        with pytest.raises(ValueError, match="the lease is lost"):
            behind.wait()
        behind.wait()


def test_the_error_of_an_act_leaves_the_context_also_where_the_body_failed() -> None:
    with pytest.raises(ValueError, match="the lease is lost") as caught, Behind(apart=True) as behind:
        behind.run(refuse)
        raise MemoryError
    assert isinstance(caught.value.__context__, MemoryError)


def test_the_error_of_the_body_leaves_after_the_act_has_ended() -> None:
    stored: list[str] = []
    with pytest.raises(MemoryError), Behind(apart=True) as behind:
        behind.run(lambda: stored.append("block"))
        raise MemoryError
    assert stored == ["block"]
