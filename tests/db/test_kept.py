"""Kept weights on real Postgres: once for each content, behind the fence, and gone with their experiment."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from batchlab import state
from batchlab.engines.base import CellBlock, Kept
from batchlab.errors import DataError
from batchlab_db import claims, experiments, kept
from batchlab_db.errors import Fenced, NotFound
from batchlab_db.reconcile import reconcile
from kit import STEPS, Bench, Engines, block, stretch
from test_lost_answers import one_answer_lost


def keeping(part: CellBlock, **labels: int) -> CellBlock:
    """The stretch with weights kept under these labels after so many updates; they say after how many."""
    steps = sorted(set(labels.values()))
    named = {step: tuple(label for label, at in labels.items() if at == step) for step in steps}
    return replace(part, kept={step: Kept({"w": np.float32([step])}, names) for step, names in named.items()})


def listed(bench: Bench, experiment: str) -> list[tuple[int, int, list[str]]]:
    with bench.engine.connect() as connection:
        rows = kept.listing(connection, experiment)
    return [(row["ordinal"], row["step"], row["labels"]) for row in rows]


def contents(bench: Bench) -> list[float]:
    """What the stored contents say, each of them read whole."""
    with bench.engine.connect() as connection:
        shas = [row["sha256"] for row in bench.sql("SELECT sha256 FROM weights")]
        return sorted(float(state.weights_from_bytes(kept.load(connection, sha))["w"][0]) for sha in shas)


def test_kept_weights_come_back_byte_for_byte(bench: Bench) -> None:
    experiment = bench.submit()
    large = {"w": np.arange(700_000, dtype=np.float32)}
    part = replace(stretch(0, 2), kept={2: Kept(large, ("at",))})
    bench.record(bench.hold(), block(part))
    with bench.engine.connect() as connection:
        [row] = kept.listing(connection, experiment)
        data = kept.of_experiment(connection, experiment, row["sha256"])
    assert row["bytes"] == len(data)
    np.testing.assert_array_equal(state.weights_from_bytes(data)["w"], large["w"])


def test_equal_weights_are_stored_once(bench: Bench) -> None:
    experiment = bench.submit(seeds=2)
    lease = claims.claim(bench.engine, bench.worker(), bench.settings, Engines(size=1))
    assert lease is not None
    bench.record(lease, block(keeping(stretch(0, STEPS, "succeeded"), last=6)))
    bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), last=6)))
    assert listed(bench, experiment) == [(0, 6, ["last"]), (1, 6, ["last"])]
    assert contents(bench) == [6.0]


def test_a_newer_best_takes_the_place_of_an_older_one(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    bench.record(lease, block(keeping(stretch(0, 2), best_val_loss=1, at=2)))
    bench.record(lease, block(keeping(stretch(2, 4), best_val_loss=4, best_val_accuracy=4)))
    bench.record(lease, block(keeping(stretch(4, 5), best_val_loss=5)))
    assert listed(bench, experiment) == [(0, 2, ["at"]), (0, 4, ["best_val_accuracy"]), (0, 5, ["best_val_loss"])]
    reconcile(bench.engine, bench.settings)
    assert contents(bench) == [2.0, 4.0, 5.0]


def test_a_fenced_holder_keeps_nothing(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    experiments.pause(bench.engine, experiment)
    with pytest.raises(Fenced):
        bench.record(lease, block(keeping(stretch(0, 2), at=2)))
    assert (listed(bench, experiment), contents(bench)) == ([], [])


def test_a_block_whose_answer_was_lost_keeps_its_weights_once(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    with one_answer_lost(bench.engine):
        bench.record(lease, block(keeping(stretch(0, 2), best_val_loss=1, at=2)))
    assert listed(bench, experiment) == [(0, 1, ["best_val_loss"]), (0, 2, ["at"])]


def test_what_lies_beyond_the_state_is_let_go_at_the_next_claim(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    bench.record(lease, block(keeping(stretch(0, 2), trajectory=2)), b"after two")
    bench.record(lease, block(keeping(stretch(2, 4), trajectory=4)), None)
    claims.hand_on(bench.engine, lease)
    again = bench.hold()
    assert listed(bench, experiment) == [(0, 2, ["trajectory"])]
    bench.record(again, block(keeping(stretch(2, STEPS, "succeeded"), trajectory=4, last=6)))
    assert [step for _, step, _ in listed(bench, experiment)] == [2, 4, 6]


def test_without_a_state_everything_is_let_go_also_the_initial_weights(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    bench.record(lease, block(keeping(stretch(0, 2), trajectory=0)), None)
    claims.hand_on(bench.engine, lease)
    bench.hold()
    assert listed(bench, experiment) == []


def test_kept_weights_go_with_their_experiment_but_not_those_of_another(bench: Bench) -> None:
    first, second = bench.submit(), bench.submit()
    for label in ("at", "at"):
        bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), **{label: 6})))
    experiments.delete(bench.engine, first)
    for _ in range(2):
        reconcile(bench.engine, bench.settings)
    assert (bench.one("SELECT count(*) FROM kept"), contents(bench)) == (1, [6.0])
    experiments.delete(bench.engine, second)
    for _ in range(2):
        reconcile(bench.engine, bench.settings)
    assert [bench.one(f"SELECT count(*) FROM {table}") for table in ("kept", "weights", "weight_parts")] == [0, 0, 0]


def test_kept_weights_can_be_deleted_alone(bench: Bench) -> None:
    experiment = bench.submit(seeds=2)
    for _ in range(2):
        bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), at=3, last=6)))
    cells = [row["id"] for row in bench.cells(experiment)]
    assert kept.delete(bench.engine, experiment, cells[:1]) == 2
    assert listed(bench, experiment) == [(1, 3, ["at"]), (1, 6, ["last"])]
    assert kept.delete(bench.engine, experiment) == 2
    reconcile(bench.engine, bench.settings)
    assert contents(bench) == []
    assert bench.experiment(experiment)["outcome"] == "succeeded"


def test_damaged_weights_are_not_read(bench: Bench) -> None:
    experiment = bench.submit()
    bench.record(bench.hold(), block(keeping(stretch(0, 2), at=2)))
    bench.sql("UPDATE weight_parts SET data = 'w0'")
    with bench.engine.connect() as connection:
        [row] = kept.listing(connection, experiment)
        with pytest.raises(DataError, match="gone or damaged"):
            kept.of_experiment(connection, experiment, row["sha256"])


@pytest.mark.parametrize("ask", [lambda c, e: kept.listing(c, "nowhere"), lambda c, e: kept.of_experiment(c, e, "0")])
def test_what_is_not_there_is_not_found(bench: Bench, ask: Any) -> None:
    experiment = bench.submit()
    with bench.engine.connect() as connection, pytest.raises(NotFound):
        ask(connection, experiment)
