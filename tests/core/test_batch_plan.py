"""The batches of a run whose batch size changes, against a loop that takes them one by one."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from batchlab.batch_plan import BatchPlan, Change, Counted, Run
from hypothesis import given, settings
from hypothesis import strategies as st

CHANGES = st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30)), max_size=5).map(sorted)
COUNTED = st.sampled_from(["updates", "rows"])


def one_by_one(run: Run, changes: Sequence[Change]) -> list[tuple[int, int]]:
    """(nominal size, rows taken) of each batch."""
    done = seen = 0
    size, waiting, taken = run.batch_size, list(changes), []
    while (done if run.counted == "updates" else seen) < run.length:
        while waiting and waiting[0].at <= (done if waiting[0].counted == "updates" else seen):
            size = waiting.pop(0).size
        rows = min(size, run.rows - seen % run.rows)
        taken.append((size, rows))
        done, seen = done + 1, seen + rows
    return taken


@settings(max_examples=300, deadline=None)
@given(
    drawn=CHANGES, by=COUNTED, rows=st.integers(1, 40), batch=st.integers(1, 30), length=st.integers(1, 120),
    counted=COUNTED,
)  # fmt: skip
def test_a_plan_is_what_a_loop_would_do(
    drawn: list[tuple[int, int]], by: Counted, rows: int, batch: int, length: int, counted: Counted
) -> None:
    run = Run(rows, batch, length, counted)
    changes = [Change(at, size, by) for at, size in drawn]
    plan, expected = BatchPlan.of(run, changes), one_by_one(run, changes)
    done = np.arange(plan.steps + 1)
    assert plan.steps == len(expected)
    assert plan.sizes(done[:-1]).tolist() == [size for size, _ in expected]
    assert np.diff(plan.seen(done)).tolist() == [taken for _, taken in expected]
    assert [plan.examples(int(k)) for k in done] == plan.seen(done).tolist()
    ends = plan.seen(done).tolist()
    for seen in range(ends[-1] + 1):
        assert plan.updates(seen) == next(k for k, end in enumerate(ends) if end >= seen)


def test_a_run_of_one_size_is_the_plain_one() -> None:
    plan = BatchPlan.of(Run(800, 36, 5 * 800, "rows"), ())
    assert plan.steps == 5 * ceil(800 / 36)
    assert plan.examples(23) == 800 and plan.examples(22) == 22 * 36
    assert plan.pace(np.arange(60.0)).tolist() == [float(k) for k in range(60)]


def test_the_pace_counts_batches_of_the_sweeps_size() -> None:
    plan = BatchPlan.of(Run(100, 10, 1000, "rows"), [Change(200, 50)])
    assert plan.steps == 20 + 16
    assert plan.pace(np.array([0.0, 20.0, 21.0, 22.0, 36.0])).tolist() == [0.0, 20.0, 25.0, 30.0, 100.0]


def test_numbers_beyond_memory_are_counted_all_the_same() -> None:
    plan = BatchPlan.of(Run(60_000, 64, 10**12 * 60_000, "rows"), [Change(10**9, 128)])
    assert plan.steps > 4 * 10**14
    assert plan.examples(plan.steps) == 10**12 * 60_000
