"""Counter-based randomness: the same draw for ever, whatever was drawn before."""

import numpy as np
from batchlab import streams


def test_a_permutation_is_a_pure_function_of_seed_stream_and_number() -> None:
    assert streams.permutation(8, 0, "order", 0).tolist() == [6, 1, 7, 3, 2, 5, 4, 0]
    assert streams.permutation(8, 3, "order", 500).tolist() == [7, 1, 6, 3, 4, 2, 0, 5]


def test_every_row_comes_once() -> None:
    assert sorted(streams.permutation(1000, 5, "order", 7)) == list(range(1000))


def test_seeds_streams_and_numbers_give_different_orders() -> None:
    draws = {
        streams.permutation(50, seed, stream, number).tobytes()
        for seed in (0, 1, 2**63 - 1)
        for stream in ("split", "order", "init", "dropout")
        for number in (0, 1, 2**40)
    }
    assert len(draws) == 36


def test_the_start_of_a_long_run_and_its_middle_do_not_overlap() -> None:
    first, second = (streams.generator(1, "order", number).integers(0, 2**63, 4096) for number in (0, 1))
    assert not set(first.tolist()) & set(second.tolist())


def test_torch_seeds_fit_torch() -> None:
    seeds = [streams.torch_seed(seed, "init") for seed in range(100)]
    assert len(set(seeds)) == 100
    assert np.all(np.array(seeds) >= 0)
