"""Small blocks are joined, and nobody can tell."""

import numpy as np
import pytest
from batchlab.engines.base import Block, CellBlock
from batchlab_db import claims, curves, digest, folding, raw, series
from batchlab_db.claims import Lease
from kit import Bench

LONG = 10_000


def slow(
    bench: Bench, lease: Lease, blocks: int, n: int = 3, *, every: int = 6, checkpoint: bytes | None = b"s"
) -> None:
    """Train by blocks of a few updates, a constant rate and an evaluation every `every` updates among them."""
    [cell] = bench.cells(lease.experiment_id)
    done = cell["steps_done"]
    for first in range(done + 1, done + blocks * n, n):
        steps = np.arange(first, first + n)
        at = steps[steps % every == 0]
        updates = {"loss": np.sin(steps).astype(np.float32), "lr": np.full(n, 0.1, np.float32)}
        block = CellBlock(first, updates, at, {"val_loss": np.cos(at).astype(np.float32)}, first + n - 1)
        claims.record(bench.engine, lease, Block({0: block}), checkpoint)


def fold(bench: Bench, lease: Lease) -> int:
    with bench.engine.begin() as connection:
        return folding.fold(connection, lease.cohort_id)


def rows(bench: Bench, metric: str) -> list[tuple[int, int, int]]:
    query = "SELECT first, n, stride FROM series_blocks WHERE metric = :metric ORDER BY first"
    return [tuple(row.values()) for row in bench.sql(query, metric=metric)]


@pytest.fixture
def lease(bench: Bench) -> Lease:
    bench.submit(budget={"steps": LONG})
    return bench.hold()


def test_the_blocks_of_a_slice_become_one(bench: Bench, lease: Lease) -> None:
    slow(bench, lease, 20)
    before = digest.digest(bench.engine, lease.experiment_id)
    assert fold(bench, lease) == 3
    assert rows(bench, "loss") == [(1, 60, 1)]
    assert rows(bench, "lr") == [(1, 60, 1)]
    assert rows(bench, "val_loss") == [(6, 10, 6)]
    assert digest.digest(bench.engine, lease.experiment_id) == before
    assert fold(bench, lease) == 0


def test_a_joined_constant_is_still_one_value_and_a_joined_block_has_its_pyramid(bench: Bench, lease: Lease) -> None:
    slow(bench, lease, 40)
    fold(bench, lease)
    [constant] = bench.sql("SELECT data FROM series_blocks WHERE metric = 'lr'")
    [varied] = bench.sql("SELECT l1 FROM series_blocks WHERE metric = 'loss'")
    assert constant["data"] == [pytest.approx(0.1)]
    assert len(varied["l1"]) == 4 * 16


def test_what_is_stored_once_is_joined_once(bench: Bench, lease: Lease) -> None:
    none, cell = np.empty(0, dtype=np.int64), lease.cells[0].id
    for first in range(1, 61, 3):
        values = np.sin(np.arange(first, first + 3)).astype(np.float32)
        # One series is older than the other that it is equal to, and so joined with more.
        late = {"twin": values} if first > 30 else {}
        block = CellBlock(first, {"loss": values, **late}, none, {}, first + 2)
        claims.record(bench.engine, lease, Block({0: block}), b"s")
    before = digest.digest(bench.engine, lease.experiment_id)
    fold(bench, lease)
    assert digest.digest(bench.engine, lease.experiment_id) == before
    assert rows(bench, "loss") == [(1, 60, 1)]
    assert rows(bench, "twin") == [(31, 30, 1)]
    [part] = raw.stretches(bench.engine, [cell], ["twin"])
    np.testing.assert_array_equal(part.values, np.sin(np.arange(31, 61)).astype(np.float32))


def test_a_block_goes_with_the_one_that_holds_its_values(bench: Bench, lease: Lease) -> None:
    none, cell = np.empty(0, dtype=np.int64), lease.cells[0].id
    for first, n in ((1, 1000), (1001, 10), (1011, 10)):
        values = np.sin(np.arange(first, first + n)).astype(np.float32)
        own = {"loss": values} if first == 1 else {"loss": values, "twin": values if first == 1011 else values + 1}
        claims.record(bench.engine, lease, Block({0: CellBlock(first, own, none, {}, first + n - 1)}), b"s")
    bench.sql("DELETE FROM series_blocks WHERE metric = 'twin' AND first = 1001")  # so that it has nothing to join
    before = digest.digest(bench.engine, lease.experiment_id)
    fold(bench, lease)
    assert digest.digest(bench.engine, lease.experiment_id) == before
    assert rows(bench, "loss") == [(1, 1000, 1), (1001, 20, 1)]
    [part] = raw.stretches(bench.engine, [cell], ["twin"])
    np.testing.assert_array_equal(part.values, np.sin(np.arange(1011, 1021)).astype(np.float32))


def test_a_block_whose_values_are_gone_is_an_error_and_no_number(bench: Bench, lease: Lease) -> None:
    none, cell = np.empty(0, dtype=np.int64), lease.cells[0].id
    for first in (1, 4):
        values = np.sin(np.arange(first, first + 3)).astype(np.float32)
        own = {"loss": values, "twin": values}
        claims.record(bench.engine, lease, Block({0: CellBlock(first, own, none, {}, first + 2)}), b"s")
    bench.sql("DELETE FROM series_blocks WHERE metric = 'loss'")
    with pytest.raises(LookupError, match="without its values"):
        fold(bench, lease)
    with pytest.raises(LookupError, match="without its values"):
        list(raw.stretches(bench.engine, [cell], ["twin"]))
    with bench.engine.connect() as connection, pytest.raises(LookupError, match="without its values"):
        curves.read(connection, cell, "twin")
    assert rows(bench, "twin") == [(1, 3, 1), (4, 3, 1)]


def test_rows_grow_with_the_logarithm_of_the_slices(bench: Bench, lease: Lease) -> None:
    for _ in range(40):
        slow(bench, lease, 5)
        fold(bench, lease)
    assert sum(n for _, n, _ in rows(bench, "loss")) == 600
    assert len(rows(bench, "loss")) <= 8
    with bench.engine.connect() as connection:
        curve = curves.read(connection, lease.cells[0].id, "loss")
    np.testing.assert_array_equal(curve.mean, np.sin(np.arange(1, 601)).astype(np.float32))


def test_what_lies_beyond_the_checkpoint_is_left_alone(bench: Bench, lease: Lease) -> None:
    slow(bench, lease, 4)
    slow(bench, lease, 3, checkpoint=None)
    fold(bench, lease)
    assert rows(bench, "loss") == [(1, 12, 1), (13, 3, 1), (16, 3, 1), (19, 3, 1)]


def test_without_a_checkpoint_nothing_is_joined(bench: Bench, lease: Lease) -> None:
    slow(bench, lease, 4, checkpoint=None)
    assert fold(bench, lease) == 0


def test_full_rows_are_not_joined(bench: Bench, lease: Lease) -> None:
    none = np.empty(0, dtype=np.int64)
    n = series.MAX_VALUES
    for first in (1, n + 1):
        values = np.sin(np.arange(first, first + n)).astype(np.float32)
        claims.record(
            bench.engine, lease, Block({0: CellBlock(first, {"loss": values}, none, {}, first + n - 1)}), b"s"
        )
    assert fold(bench, lease) == 0


def test_a_reader_between_two_pages_misses_nothing(bench: Bench, lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(bench, lease, 30)
    monkeypatch.setattr(raw, "PAGE_BLOCKS", 4)
    reader = raw.stretches(bench.engine, [lease.cells[0].id], ["loss"])
    found = [next(reader)]
    fold(bench, lease)
    found += list(reader)
    np.testing.assert_array_equal(np.concatenate([part.steps for part in found]), np.arange(1, 91))


def test_a_slice_joins_its_blocks_when_it_hands_on_and_the_next_one_keeps_them(bench: Bench, lease: Lease) -> None:
    slow(bench, lease, 20)
    claims.hand_on(bench.engine, lease)
    after = bench.hold()
    assert after.cells[0].steps_done == 60
    assert rows(bench, "loss") == [(1, 60, 1)]
    slow(bench, after, 1)
    assert rows(bench, "loss") == [(1, 60, 1), (61, 3, 1)]
