"""When a slice saves and when it ends, by a clock that the test moves."""

from batchlab_worker.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pace(last_bytes: int | None = None) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(20.0, 1_000_000, last_bytes, clock), clock


def test_a_small_state_is_saved_with_every_block() -> None:
    small, _ = pace(1_000_000)
    for _ in range(3):
        assert small.due()
        small.saved(1_000_000, 0.5)


def test_the_first_block_is_always_saved_since_the_size_is_unknown() -> None:
    new, _ = pace(None)
    assert new.due()


def test_saving_a_large_state_takes_at_most_two_percent_of_the_time() -> None:
    large, clock = pace(None)
    large.saved(100_000_000, 0.2)
    clock.now += 9.9
    assert not large.due()
    clock.now += 0.2
    assert large.due()


def test_a_large_state_just_restored_is_not_saved_at_once() -> None:
    large, clock = pace(100_000_000)
    assert not large.due()
    clock.now += 20.0
    assert large.due()


def test_a_slice_ends_after_its_time() -> None:
    small, clock = pace()
    clock.now += 19.9
    assert not small.over()
    clock.now += 0.2
    assert small.over()


def test_a_costly_checkpoint_makes_the_slice_longer_within_bounds() -> None:
    large, clock = pace()
    large.saved(500_000_000, 1.0)
    clock.now += 49.0
    assert not large.over()
    clock.now += 2.0
    assert large.over()
    large.saved(500_000_000, 60.0)
    clock.now += 200.0
    assert large.over()
