"""Lists and details of experiments, on a real database."""

import pytest
from batchlab_db import cells, cursors, experiments, reads
from batchlab_db.errors import BadCursor, NotFound
from batchlab_db.reads import Filters
from hypothesis import given
from hypothesis import strategies as st
from kit import STEPS, Bench, block, stretch

ALIVE = 30.0


def listed(bench: Bench, *, limit: int = 50, cursor: str | None = None, **filters: str) -> reads.Page:
    with bench.engine.connect() as connection:
        return reads.experiments(connection, ALIVE, Filters(**filters), limit=limit, cursor=cursor)


def shown(bench: Bench, experiment: str) -> reads.Row:
    with bench.engine.connect() as connection:
        return reads.experiment(connection, experiment, ALIVE)


def ids(page: reads.Page) -> list[str]:
    return [row["id"] for row in page.items]


def age(bench: Bench, experiment: str, seconds: float) -> None:
    """Have the experiment been created so much earlier."""
    older = "UPDATE experiments SET created_at = created_at - make_interval(secs => :seconds) WHERE id = :id"
    bench.sql(older, id=experiment, seconds=seconds)


def test_a_new_experiment_is_queued_until_a_slice_starts_and_then_runs(bench: Bench) -> None:
    experiment = bench.submit()
    assert shown(bench, experiment)["status"] == "queued"
    bench.hold()
    assert shown(bench, experiment)["status"] == "running"


def test_an_experiment_that_nobody_can_serve_is_stalled(bench: Bench) -> None:
    experiment = bench.submit()
    age(bench, experiment, 2 * ALIVE)
    assert shown(bench, experiment)["status"] == "stalled"
    me = bench.worker()
    assert shown(bench, experiment)["status"] == "queued"
    bench.hold(me)
    bench.sql("UPDATE workers SET heartbeat_at = heartbeat_at - interval '1 hour'")
    assert shown(bench, experiment)["status"] == "stalled"


def test_a_worker_with_other_queues_or_another_card_does_not_serve_it(bench: Bench) -> None:
    experiment = bench.submit(device="cuda:0")
    age(bench, experiment, 2 * ALIVE)
    bench.worker(queues=("cpu",))
    bench.worker(queues=("cpu", "gpu"), device="cuda:1")
    assert shown(bench, experiment)["status"] == "stalled"
    bench.worker(queues=("gpu",), device="cuda:0")
    assert shown(bench, experiment)["status"] == "queued"


def test_paused_is_shown_over_stalled_and_an_outcome_over_both(bench: Bench) -> None:
    experiment = bench.submit()
    age(bench, experiment, 2 * ALIVE)
    experiments.pause(bench.engine, experiment)
    assert shown(bench, experiment)["status"] == "paused"
    experiments.cancel(bench.engine, experiment)
    row = shown(bench, experiment)
    assert (row["status"], row["cancelled"], reads.eta_seconds(row)) == ("cancelled", 1, 0.0)


def test_progress_counts_cells_by_status_and_updates(bench: Bench) -> None:
    experiment = bench.submit(seeds=3)
    me = bench.worker()
    bench.finish(bench.hold(me))
    lease = bench.hold(me)
    bench.record(lease, block(stretch(0, 2)))
    row = shown(bench, experiment)
    counts = [row[name] for name in ("queued", "running", "succeeded", "diverged", "failed", "cancelled")]
    assert counts == [1, 1, 1, 0, 0, 0]
    assert (row["updates_done"], row["updates_left"], row["updates_total"]) == (STEPS + 2, 2 * STEPS - 2, 3 * STEPS)


def test_the_time_left_counts_an_update_of_many_rows_for_more(bench: Bench) -> None:
    experiment = bench.submit(batch_sizes=[1, "full"])
    bench.finish(bench.hold())
    bench.sql("UPDATE slices SET started_at = clock_timestamp() - interval '10 s'")
    small, large = (row.work for row in bench.sql("SELECT work FROM cells ORDER BY batch_size"))
    assert large > small
    assert reads.eta_seconds(shown(bench, experiment)) == pytest.approx(10 * large / small, rel=0.2)


def test_the_time_left_follows_the_speed_of_recent_slices(bench: Bench) -> None:
    experiment = bench.submit(seeds=2)
    assert reads.eta_seconds(shown(bench, experiment)) is None
    bench.finish(bench.hold())
    bench.sql("UPDATE slices SET started_at = clock_timestamp() - interval '60 s'")
    row = shown(bench, experiment)
    assert row["speed"] == pytest.approx(row["work_left"] / 60, rel=0.2)
    assert reads.eta_seconds(row) == pytest.approx(60, rel=0.2)
    bench.sql("UPDATE slices SET started_at = clock_timestamp() - interval '1 hour'")
    assert reads.eta_seconds(shown(bench, experiment)) is None


def test_details_hold_the_spec_and_the_metrics_and_lists_do_not(bench: Bench) -> None:
    experiment = bench.submit(name="one")
    row = shown(bench, experiment)
    assert row["spec"]["name"] == "one"
    assert row["metrics"]["step_seconds"] == "s"
    assert "spec" not in listed(bench).items[0]


def test_unknown_deleted_and_impossible_ids_are_not_found(bench: Bench) -> None:
    gone = bench.submit()
    experiments.delete(bench.engine, gone)
    with bench.engine.connect() as connection:
        for unknown in ("nothing", "", "\x00", "a" * 5000, gone):
            for read in (lambda c, i: reads.status(c, i, ALIVE), cells.page, cells.every, cells.pulse):
                with pytest.raises(NotFound):
                    read(connection, unknown)
    assert ids(listed(bench)) == []


def test_pages_run_through_all_experiments_once_newest_first(bench: Bench) -> None:
    made = [bench.submit(name=str(i)) for i in range(7)]
    bench.sql("UPDATE experiments SET created_at = (SELECT created_at FROM experiments WHERE id = :id)", id=made[0])
    seen, cursor = [], None
    while True:
        page = listed(bench, limit=3, cursor=cursor)
        seen += ids(page)
        if (cursor := page.next) is None:
            break
    assert seen == sorted(made, reverse=True)  # equal times: by id
    assert len(page.items) == 1


def test_a_full_last_page_has_no_next(bench: Bench) -> None:
    bench.submit()
    bench.submit()
    assert listed(bench, limit=2).next is None


def test_lists_filter_by_status(bench: Bench) -> None:
    queued, paused, cancelled = bench.submit(), bench.submit(), bench.submit()
    experiments.pause(bench.engine, paused)
    experiments.cancel(bench.engine, cancelled)
    found = {status: ids(listed(bench, status=status)) for status in (*reads.OPEN, *reads.ENDED)}
    assert {status: rows for status, rows in found.items() if rows} == {
        "queued": [queued],
        "paused": [paused],
        "cancelled": [cancelled],
    }


def test_a_page_of_a_computed_status_is_filled_from_beyond_the_limit(bench: Bench) -> None:
    paused = [bench.submit() for _ in range(2)]
    for experiment in paused:
        experiments.pause(bench.engine, experiment)
    for _ in range(5):
        bench.submit()
    page = listed(bench, status="paused", limit=1)
    assert ids(page) == [paused[1]]
    assert ids(listed(bench, status="paused", limit=1, cursor=page.next)) == [paused[0]]


def test_lists_filter_by_tag(bench: Bench) -> None:
    tagged = bench.submit(tags=["textbook", "x"])
    bench.submit(tags=["text"])
    assert ids(listed(bench, tag="textbook")) == [tagged]
    assert ids(listed(bench, tag="no\x00tag")) == []


@pytest.mark.parametrize("q", ["50%_done", "0%_D", "\\", "%", "_", "\\%"])
def test_text_is_searched_as_it_is_written(bench: Bench, q: str) -> None:
    named = bench.submit(name="50%_done \\% and_more")
    bench.submit(name="plain")
    assert ids(listed(bench, q=q)) == [named]


def test_text_is_searched_in_notes_and_ids_too(bench: Bench) -> None:
    noted = bench.submit(name="a")
    experiments.patch(bench.engine, noted, note="why the Ravine is slow")
    assert ids(listed(bench, q="ravine")) == [noted]
    assert ids(listed(bench, q=noted)) == [noted]
    assert ids(listed(bench, q="\x00")) == []


def test_a_cursor_of_other_filters_is_refused(bench: Bench) -> None:
    for _ in range(3):
        bench.submit(tags=["a"])
    cursor = listed(bench, limit=1).next
    with pytest.raises(BadCursor, match="cursor"):
        listed(bench, tag="a", cursor=cursor)


MARK = ("experiments", None)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(bytes.hex)))
def test_any_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        cursors.decode(MARK, text, int, str)


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    cursor = cursors.encode(MARK, (1_700_000_000_000_000, "abcdefghijkm"))
    at = data.draw(st.integers(0, len(cursor) - 2))  # the last character has bits to spare
    other = data.draw(st.sampled_from("ABCXYZabcxyz0189-_").filter(lambda c: c != cursor[at]))
    with pytest.raises(BadCursor):
        cursors.decode(MARK, cursor[:at] + other + cursor[at + 1 :], int, str)


@given(st.integers(), st.text(max_size=12))
def test_a_cursor_returns_its_position(number: int, text: str) -> None:
    assert cursors.decode(MARK, cursors.encode(MARK, (number, text)), int, str) == (number, text)


def test_a_cursor_with_parts_of_another_kind_is_refused() -> None:
    with pytest.raises(BadCursor):
        cursors.decode(MARK, cursors.encode(MARK, ("x", "y")), int, str)


def test_cells_come_by_ordinal_in_pages(bench: Bench) -> None:
    experiment = bench.submit(seeds=5)
    with bench.engine.connect() as connection:
        first = cells.page(connection, experiment, limit=3)
        second = cells.page(connection, experiment, limit=3, cursor=first.next)
        assert [row["ordinal"] for row in (*first.items, *second.items)] == [0, 1, 2, 3, 4]
        assert second.next is None
        with pytest.raises(BadCursor):
            cells.page(connection, bench.submit(), cursor=first.next)


def test_one_cell_has_its_point_and_is_found_only_in_its_experiment(bench: Bench) -> None:
    experiment, other = bench.submit(), bench.submit()
    [stored] = bench.cells(experiment)
    with bench.engine.connect() as connection:
        row = cells.one(connection, experiment, str(stored["id"]))
        assert (row["batch_size"], row["point"]["optimizer"]["kind"]) == (4, "sgd")
        for owner, cell in ((other, str(stored["id"])), (experiment, "x"), (experiment, "-1"), (experiment, "9" * 40)):
            with pytest.raises(NotFound):
                cells.one(connection, owner, cell)


def test_cells_are_chosen_by_id_and_batch_size(bench: Bench) -> None:
    experiment = bench.submit(batch_sizes=[4, 8], seeds=2)
    some = [str(row["id"]) for row in bench.cells(experiment)[1:3]]
    with bench.engine.connect() as connection:
        assert [row["ordinal"] for row in cells.chosen(connection, experiment)] == [0, 1, 2, 3]
        assert [row["ordinal"] for row in cells.chosen(connection, experiment, batch_sizes=[8])] == [2, 3]
        assert [row["ordinal"] for row in cells.chosen(connection, experiment, cells=[*some, "no cell"])] == [1, 2]
        assert [row["ordinal"] for row in cells.chosen(connection, experiment, some, [4])] == [1]
        assert list(cells.chosen(connection, experiment, cells=[])) == []


def test_results_of_ended_cells_are_in_every_row(bench: Bench) -> None:
    experiment = bench.submit(seeds=2)
    bench.finish(bench.hold())
    with bench.engine.connect() as connection:
        rows = cells.every(connection, experiment)
    assert [row["result"] for row in rows] == [{"val_loss": 0.25}, None]


def test_the_pulse_says_how_far_each_cell_is(bench: Bench) -> None:
    experiment = bench.submit()
    bench.record(bench.hold(), block(stretch(0, 2)))
    with bench.engine.connect() as connection:
        [row] = cells.pulse(connection, experiment)
    assert (row["batch_size"], row["steps_done"], row["rewind"]) == (4, 2, 0)
