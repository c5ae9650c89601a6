"""The lease protocol holds in every reachable state, and the check would notice if it did not."""

import pytest
from lease_model import Rules
from lease_search import explore


@pytest.mark.parametrize(("workers", "states", "transitions"), [(2, 3_300, 44_169), (3, 9_207, 179_247)])
def test_every_interleaving_keeps_the_promises_and_can_end(workers: int, states: int, transitions: int) -> None:
    found = explore(workers, alike=True)
    assert found.wrong == {}
    assert found.stuck == set()
    # The size is part of the claim: an action that silently stops being possible would make it smaller.
    assert (len(found.came_by), found.transitions) == (states, transitions)


def test_without_the_fence_a_cancelled_cell_is_written_and_a_checkpoint_goes_backwards() -> None:
    wrong = explore(2, Rules(fence="none")).wrong
    assert wrong["something is written after the end"] == ("claim_0", "cancel", "block_0")
    assert "the checkpoint goes backwards" in wrong
    assert "a stale holder writes" in wrong


def test_a_fence_that_looks_at_the_status_alone_lets_a_stale_holder_write_into_its_successors_work() -> None:
    wrong = explore(2, Rules(fence="status")).wrong
    assert "the checkpoint goes backwards" in wrong
    assert "something is written after the end" not in wrong


def test_without_resending_a_lost_message_leaves_an_experiment_waiting_for_ever() -> None:
    found = explore(2, Rules(resend=False))
    assert found.wrong == {}
    assert found.stuck
