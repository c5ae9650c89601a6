"""What streams are told: each change once, in an order from which a client can go on anywhere."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from batchlab_api.cursor import Told, decode
from batchlab_api.feeds import readers
from batchlab_api.problems import ProblemError
from batchlab_api.stream import CellPulse, Hub, Pulse, Seen, Stretches, Watch, advance, start
from batchlab_client import models
from batchlab_db.errors import NotFound
from batchlab_db.settings import Settings
from fastapi.sse import ServerSentEvent
from hand import Hand

WATCH = Watch("e1", metrics=("loss",))


def pulse(cells: dict[int, tuple[int, int]], status: str = "running", eta: float | None = None) -> Pulse:
    progress = models.Progress(
        cells=models.CellCounts(running=len(cells)),
        updates_done=sum(steps for steps, _ in cells.values()),
        updates_total=1000,
        eta_seconds=eta,
    )
    said = models.StatusEvent.model_validate({"status": status, "error": None})
    return Pulse(said, progress, {cell: CellPulse(8, Told(*told)) for cell, told in cells.items()})


def points(watch: Watch, behind: Stretches) -> list[models.CurvePoints]:
    """One point a cell, whose x is what was told before."""
    return [
        models.CurvePoints(cell=str(cell), metric="loss", x=[told], mean=[1.0], min=[1.0], max=[1.0])
        for cell, (told, _) in behind.items()
    ]


def names(events: Sequence[ServerSentEvent]) -> list[str | None]:
    return [event.event for event in events]


def test_the_first_look_tells_progress_and_status() -> None:
    events, seen = advance(pulse({1: (10, 0)}), WATCH, Seen({1: Told(10, 0)}), points)
    assert names(events) == ["progress", "status"]
    assert seen.status and seen.status.status == "running"


def test_nothing_new_is_told_as_nothing() -> None:
    now = pulse({1: (10, 0)})
    _, seen = advance(now, WATCH, Seen({1: Told(10, 0)}), points)
    assert advance(now, WATCH, seen, points) == ([], seen)


def test_another_estimate_of_the_time_left_alone_is_no_news() -> None:
    _, seen = advance(pulse({1: (10, 0)}, eta=5.0), WATCH, Seen({1: Told(10, 0)}), points)
    events, _ = advance(pulse({1: (10, 0)}, eta=4.5), WATCH, seen, points)
    assert events == []


def test_points_come_from_where_the_cursor_stands_and_move_it() -> None:
    _, seen = advance(pulse({1: (10, 0), 2: (5, 0)}), WATCH, Seen({1: Told(10, 0), 2: Told(5, 0)}), points)
    events, seen = advance(pulse({1: (30, 0), 2: (5, 0)}), WATCH, seen, points)
    assert names(events) == ["curves", "progress"]
    told = models.CurvesEvent.model_validate_json(events[0].raw_data or "")
    assert [(s.cell, s.x) for s in told.series] == [("1", [10.0])]
    assert decode(events[0].id or "") == {1: Told(30, 0), 2: Told(5, 0)} == seen.cursor


def test_a_stream_without_metrics_gets_no_points() -> None:
    events, _ = advance(pulse({1: (30, 0)}), Watch("e1"), Seen({1: Told(10, 0)}), points)
    assert names(events) == ["progress", "status"]


def test_a_rewound_cell_is_told_anew() -> None:
    _, seen = advance(pulse({1: (50, 0)}), WATCH, Seen({1: Told(50, 0)}), points)
    events, seen = advance(pulse({1: (60, 1)}), WATCH, seen, points)
    assert names(events) == ["rewind", "curves", "progress"]
    assert models.RewindEvent.model_validate_json(events[0].raw_data or "") == models.RewindEvent(cell="1", step=0)
    assert decode(events[0].id or "") == {1: Told(0, 1)}, "cut here, a client that comes back gets all its points"
    assert models.CurvesEvent.model_validate_json(events[1].raw_data or "").series[0].x == [0.0]
    assert seen.cursor == {1: Told(60, 1)}


def test_a_retried_cell_is_told_anew() -> None:
    events, _ = advance(pulse({1: (5, 0)}), WATCH, Seen({1: Told(50, 0)}), points)
    assert names(events)[:2] == ["rewind", "curves"]


def test_a_cell_added_later_is_told_from_its_first_update() -> None:
    events, _ = advance(pulse({1: (5, 0), 2: (7, 0)}), WATCH, Seen({1: Told(5, 0)}), points)
    told = models.CurvesEvent.model_validate_json(events[0].raw_data or "")
    assert [(s.cell, s.x) for s in told.series] == [("2", [-1.0])]


def test_a_cell_without_updates_is_told_with_its_evaluation_at_zero() -> None:
    cursor = start(pulse({1: (0, 0)}), WATCH, None)
    events, seen = advance(pulse({1: (0, 0)}), WATCH, Seen(cursor), points)
    assert names(events) == ["progress", "status"]
    events, _ = advance(pulse({1: (9, 0)}), WATCH, seen, points)
    assert models.CurvesEvent.model_validate_json(events[0].raw_data or "").series[0].x == [-1.0]


def test_the_last_points_come_before_the_end() -> None:
    events, _ = advance(pulse({1: (50, 0)}, "succeeded"), WATCH, Seen({1: Told(10, 0)}), points)
    assert names(events) == ["curves", "progress", "status", "bye"]
    assert models.ByeEvent.model_validate_json(events[-1].raw_data or "").reason == "finished"


def test_only_the_chosen_cells_are_followed() -> None:
    watch = Watch("e1", ("loss",), cells=frozenset({2}))
    assert start(pulse({1: (10, 0), 2: (20, 0)}), watch, None) == {2: Told(20, 0)}
    events, seen = advance(pulse({1: (50, 3), 2: (20, 0)}), watch, Seen({2: Told(20, 0)}), points)
    assert names(events) == ["progress", "status"] and seen.cursor == {2: Told(20, 0)}
    assert not Watch("e1", batch_sizes=frozenset({4})).follows(1, 8)


def test_a_new_stream_may_ask_for_what_came_before() -> None:
    assert start(pulse({1: (10, 2), 2: (3, 0)}), WATCH, 5) == {1: Told(5, 2), 2: Told(3, 0)}


class Lab:
    """An experiment that a test moves on; counts the reads."""

    def __init__(self, now: Pulse) -> None:
        self.now, self.reads, self.gone = now, 0, False
        self.hub = Hub(self.pulse, self.points, max_streams=3)

    def pulse(self, experiment: str) -> Pulse:
        if self.gone:
            raise NotFound("gone")
        return self.now

    def points(self, watch: Watch, behind: Stretches) -> list[models.CurvePoints]:
        self.reads += 1
        return points(watch, behind)


async def take(stream: Any) -> list[str | None]:
    return names(await asyncio.wait_for(stream.outbox.get(), 5))


def test_streams_that_look_at_the_same_share_one_read() -> None:
    async def scenario() -> None:
        lab = Lab(pulse({1: (30, 0)}))
        streams = [lab.hub.open(WATCH, {1: Told(10, 0)}) for _ in range(3)]
        await asyncio.to_thread(lab.hub.poll)
        assert [await take(stream) for stream in streams] == [["curves", "progress", "status"]] * 3
        assert lab.reads == 1

    asyncio.run(scenario())


def test_a_slow_reader_is_passed_over_and_then_gets_all_at_once() -> None:
    async def scenario() -> None:
        lab = Lab(pulse({1: (30, 0)}))
        stream = lab.hub.open(WATCH, {1: Told(10, 0)})
        for steps in (30, 40, 50):
            lab.now = pulse({1: (steps, 0)})
            await asyncio.to_thread(lab.hub.poll)
            await asyncio.sleep(0)
        assert stream.outbox.qsize() == 1
        await take(stream)
        await asyncio.to_thread(lab.hub.poll)
        assert await take(stream) == ["curves", "progress"]
        assert stream.seen.cursor == {1: Told(50, 0)}

    asyncio.run(scenario())


def test_more_streams_than_allowed_are_refused_until_one_closes() -> None:
    async def scenario() -> None:
        lab = Lab(pulse({}))
        streams = [lab.hub.open(WATCH, {}) for _ in range(3)]
        with pytest.raises(ProblemError) as refused:
            lab.hub.open(WATCH, {})
        assert refused.value.slug == "busy" and refused.value.headers["Retry-After"]
        lab.hub.close(streams[0])
        assert len(lab.hub) == 2
        lab.hub.open(WATCH, {})

    asyncio.run(scenario())


def test_a_stopping_server_says_goodbye_and_opens_no_more() -> None:
    async def scenario() -> None:
        lab = Lab(pulse({}))
        stream = lab.hub.open(WATCH, {})
        lab.hub.stop()
        told = [event async for event in stream.events()]
        assert names(told) == ["bye"]
        assert models.ByeEvent.model_validate_json(told[0].raw_data or "").reason == "stopping"
        with pytest.raises(ProblemError, match="stopping"):
            lab.hub.open(WATCH, {})

    asyncio.run(scenario())


def test_the_stream_of_a_deleted_experiment_ends() -> None:
    async def scenario() -> None:
        lab = Lab(pulse({}))
        stream = lab.hub.open(WATCH, {})
        lab.gone = True
        await asyncio.to_thread(lab.hub.poll)
        assert names([event async for event in stream.events()]) == ["bye"]

    asyncio.run(scenario())


def test_what_is_stored_after_the_look_is_left_for_the_next_one(
    settings: Settings, post: Callable[..., str], hand: Hand
) -> None:
    id = post(batch_sizes=[4], seeds=1)
    read_pulse, read_points = readers(hand.engine, settings)
    hand.train(40, most=1)
    seen = Seen(start(read_pulse(id), Watch(id, ("loss",)), -1))
    look = read_pulse(id)
    hand.train(70, most=1)
    first, seen = advance(look, Watch(id, ("loss",)), seen, read_points)
    second, seen = advance(read_pulse(id), Watch(id, ("loss",)), seen, read_points)
    told = [models.CurvesEvent.model_validate_json(events[0].raw_data or "").series[0].x for events in (first, second)]
    assert told == [list(range(1, 41)), list(range(41, 71))]
