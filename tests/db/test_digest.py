"""Digests: equal for equal measurements however they were cut, different for a difference of one bit."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab.engines.base import CellBlock
from batchlab_db import digest as digests
from batchlab_db import experiments, series
from batchlab_db.errors import NotFound
from kit import Bench

N = 200
LOSSES = np.random.default_rng(0).standard_normal(N).astype(np.float32)
LOSSES[50:150] = 0.25
RESULT = '{"val_loss": 0.25, "seconds_per_update": 1.5}'


def store(
    bench: Bench, losses: np.ndarray = LOSSES, edges: tuple[int, ...] = (), *, metric: str = "loss", first: int = 1
) -> str:
    """A new experiment of two cells; the first has these losses, cut after each of `edges`, and step times."""
    experiment = bench.submit(seeds=2)
    [cell, _] = bench.cells(experiment)
    with bench.engine.begin() as connection:
        for start, end in zip((0, *edges), (*edges, len(losses)), strict=True):
            seconds = np.random.default_rng().random(end - start).astype(np.float32)
            measured = {metric: losses[start:end], "step_seconds": seconds}
            at = np.array([0] if start == 0 else [end], dtype=np.int64)
            scores = {"val_loss": np.ones(1, np.float32)} if start == 0 else {}
            series.write(connection, [(cell["id"], CellBlock(first + start, measured, at[: len(scores)], scores, end))])
    bench.sql("UPDATE cells SET result = CAST(:result AS jsonb) WHERE id = :id", id=cell["id"], result=RESULT)
    return experiment


def digest(bench: Bench, experiment: str) -> Any:
    return digests.digest(bench.engine, experiment)


def test_equal_values_in_other_blocks_have_the_same_digest(bench: Bench) -> None:
    whole = digest(bench, store(bench))
    assert whole == digest(bench, store(bench, edges=(1, 60, 61, 149, 199)))
    assert whole == digest(bench, store(bench, edges=tuple(range(1, N))))


def test_the_digest_is_that_of_the_documented_bytes(bench: Bench) -> None:
    experiment = store(bench, edges=(77,))
    records = np.zeros(N, dtype=[("step", "<i8"), ("value", "<f4")])
    records["step"], records["value"] = np.arange(1, N + 1), LOSSES
    scores = np.array([(0, 1.0)], dtype=records.dtype)
    cell = bench.cells(experiment)[0]
    whole = {
        "point": {name: value for name, value in cell["point"].items() if name != "checkpoints"},
        "status": "queued",
        "cause": None,
        "result": {"val_loss": 0.25},
        "series": {
            "loss": hashlib.sha256(records.tobytes()).hexdigest(),
            "val_loss": hashlib.sha256(scores.tobytes()).hexdigest(),
        },
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    assert digest(bench, experiment)["cells"][0] == {"ordinal": 0, "digest": hashlib.sha256(text.encode()).hexdigest()}


def _one_ulp() -> np.ndarray:
    changed = LOSSES.copy()
    changed[120] = np.nextafter(changed[120], np.float32(1))
    return changed


@pytest.mark.parametrize(
    "other",
    [
        lambda bench: store(bench, _one_ulp()),
        lambda bench: store(bench, LOSSES[:-1]),
        lambda bench: store(bench, first=2),
        lambda bench: store(bench, metric="lr"),
    ],
)
def test_one_different_bit_step_or_name_changes_the_digest(bench: Bench, other: Callable[[Bench], str]) -> None:
    [mine, same], [its, also] = (digest(bench, experiment)["cells"] for experiment in (store(bench), other(bench)))
    assert mine != its
    assert same == also


def test_zero_and_minus_zero_and_payloads_of_nan_differ(bench: Bench) -> None:
    patterns = [0x00000000, 0x80000000, 0x7FC00000, 0x7FC00001, 0x7F800001]
    values = [np.full(3, bits, dtype=np.uint32).view(np.float32) for bits in patterns]
    assert len({digest(bench, store(bench, one))["digest"] for one in values}) == len(patterns)


@pytest.mark.parametrize(
    "change",
    ["status = 'succeeded'", "cause = 'lost'", "result = '{\"val_loss\": 0.26}'", "point = point || '{\"lr\": 0.1}'"],
)
def test_facts_of_a_cell_are_in_its_digest(bench: Bench, change: str) -> None:
    experiment = store(bench)
    before = digest(bench, experiment)
    bench.sql(f"UPDATE cells SET {change} WHERE experiment_id = :id AND ordinal = 0", id=experiment)
    after = digest(bench, experiment)
    assert after["digest"] != before["digest"]
    assert after["cells"][0] != before["cells"][0]
    assert after["cells"][1] == before["cells"][1]


def test_times_places_and_messages_are_left_out(bench: Bench) -> None:
    experiment = store(bench)
    before = digest(bench, experiment)
    result = RESULT.replace("1.5", "99")
    bench.sql(
        "UPDATE cells SET started_at = clock_timestamp(), message = 'x', engine = 'y', shared_with = 3, rewind = 2, "
        "environment = '{}', result = CAST(:result AS jsonb) WHERE experiment_id = :id AND ordinal = 0",
        id=experiment,
        result=result,
    )
    assert digest(bench, experiment) == before


def test_digests_come_by_ordinal(bench: Bench) -> None:
    experiment = bench.submit(seeds=4)
    bench.sql("UPDATE cells SET ordinal = 7 - ordinal WHERE experiment_id = :id", id=experiment)
    assert [cell["ordinal"] for cell in digest(bench, experiment)["cells"]] == [4, 5, 6, 7]


def test_unknown_and_deleted_experiments_have_no_digest(bench: Bench) -> None:
    gone = bench.submit()
    experiments.delete(bench.engine, gone)
    for unknown in (gone, "nothing", "\x00"):
        with pytest.raises(NotFound):
            digest(bench, unknown)
