"""Live events: one poller thread a process looks at the database, and tells every open stream what changed.

The streams themselves are async and only wait on their outboxes: an open page holds no thread and no connection.
Streams that look at the same things share one read.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from batchlab_client import models
from batchlab_db.errors import NotFound
from batchlab_db.periodic import Every
from fastapi.sse import ServerSentEvent
from pydantic import BaseModel

from batchlab_api.axis import Axis
from batchlab_api.cursor import Cursor, Told, encode
from batchlab_api.problems import ProblemError

log = structlog.get_logger()

POLL_SECONDS = 0.1
SHARE, LONGEST_PAUSE = 1 / 5, 0.5
"""Of the time, that looking may take: where it takes longer, looks come less often, up to so many seconds apart."""
RETRY_MILLISECONDS = 2000


@dataclass(frozen=True)
class Watch:
    """What a stream looks at. `cells` None: all of them; without metrics no curves are told."""

    experiment: str
    metrics: tuple[str, ...] = ()
    cells: frozenset[int] | None = None
    batch_sizes: frozenset[int] | None = None
    x: Axis = "step"
    points: int = 200

    def follows(self, cell: int, batch_size: int) -> bool:
        chosen = self.cells is None or cell in self.cells
        return chosen and (self.batch_sizes is None or batch_size in self.batch_sizes)


@dataclass(frozen=True)
class CellPulse:
    """How far one cell is."""

    batch_size: int
    told: Told


@dataclass(frozen=True)
class Pulse:
    """The state of an experiment at one moment."""

    status: models.StatusEvent
    progress: models.Progress
    cells: dict[int, CellPulse]

    @property
    def finished(self) -> bool:
        return self.status.status in ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Seen:
    """What a stream has been told so far."""

    cursor: Cursor
    status: models.StatusEvent | None = None
    progress: models.Progress | None = None


Stretches = dict[int, tuple[int, int]]
"""Cell -> the update told last, and the one to tell up to: what is stored meanwhile comes the next time."""
PointsReader = Callable[[Watch, Stretches], list[models.CurvePoints]]
PulseReader = Callable[[str], Pulse]


def start(pulse: Pulse, watch: Watch, after: int | None) -> Cursor:
    """The cursor of a new stream: what comes from now on, or what came after update `after` (-1: everything)."""
    return {
        cell: Told(_before(now.told.steps if after is None else min(after, now.told.steps)), now.told.rewind)
        for cell, now in pulse.cells.items()
        if watch.follows(cell, now.batch_size)
    }


def _before(steps: int) -> int:
    # A cell without updates may still have its evaluation at 0 before it.
    return steps if steps > 0 else -1


def advance(pulse: Pulse, watch: Watch, seen: Seen, read: PointsReader) -> tuple[list[ServerSentEvent], Seen]:
    """What to tell a stream that has seen `seen`, and what it will have seen then.

    A rewound cell is told anew from its first update: what was told before may differ from what now stands there.
    (Its evaluation at 0 depends on its seed alone and stays.)
    """
    events, cursor = _rewinds(pulse, watch, dict(seen.cursor))
    behind = {
        cell: (cursor[cell].steps, now.told.steps)
        for cell, now in pulse.cells.items()
        if cell in cursor and now.told.steps > max(cursor[cell].steps, 0)
    }
    if watch.metrics and behind:
        series = read(watch, behind)
        cursor |= {cell: pulse.cells[cell].told for cell in behind}
        if series:
            events.append(_event("curves", models.CurvesEvent(series=series), cursor))
    if _moved(pulse.progress, seen.progress):
        events.append(_event("progress", pulse.progress, cursor))
    if pulse.status != seen.status:
        events.append(_event("status", pulse.status, cursor))
    if pulse.finished:
        events.append(_event("bye", models.ByeEvent(reason="finished"), cursor))
    return events, Seen(cursor, pulse.status, pulse.progress)


def _moved(now: models.Progress, before: models.Progress | None) -> bool:
    return before is None or (now.cells, now.updates_done) != (before.cells, before.updates_done)


def _rewinds(pulse: Pulse, watch: Watch, cursor: dict[int, Told]) -> tuple[list[ServerSentEvent], dict[int, Told]]:
    events = []
    for cell, now in pulse.cells.items():
        if not watch.follows(cell, now.batch_size):
            continue
        told = cursor.setdefault(cell, Told(-1, now.told.rewind))
        if now.told.rewind > told.rewind or now.told.steps < max(told.steps, 0):
            cursor[cell] = Told(0, now.told.rewind)
            events.append(_event("rewind", models.RewindEvent(cell=str(cell), step=0), cursor))
    return events, cursor


def _event(name: str, data: BaseModel, cursor: Cursor) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=data.model_dump_json(), id=encode(cursor), retry=RETRY_MILLISECONDS)


@dataclass(eq=False)
class Stream:
    """One open stream. The poller fills `outbox`; a stream that has not yet taken the last batch is passed over."""

    watch: Watch
    seen: Seen
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    outbox: asyncio.Queue[Sequence[ServerSentEvent]] = field(default_factory=asyncio.Queue)

    def tell(self, events: Sequence[ServerSentEvent]) -> None:
        """Put a batch into the outbox; from any thread."""
        self.loop.call_soon_threadsafe(self.outbox.put_nowait, events)

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """Events until `bye`, that one included."""
        while True:
            for event in await self.outbox.get():
                yield event
                if event.event == "bye":
                    return


class Hub:
    """The open streams of this process and the thread that feeds them."""

    def __init__(self, pulse: PulseReader, points: PointsReader, max_streams: int) -> None:
        self.pulse, self._points, self._max = pulse, points, max_streams
        self._streams: set[Stream] = set()
        self._stopping = False
        self.poller = Every("events", POLL_SECONDS, self.poll, share=SHARE, longest=LONGEST_PAUSE)

    def __len__(self) -> int:
        return len(self._streams)

    def run(self) -> None:
        """Start the poller, which whoever owns the hub stops."""
        self.poller.start()

    def open(self, watch: Watch, cursor: Cursor) -> Stream:
        """A new stream; on the event loop's thread. Raises where there are too many."""
        if self._stopping or len(self._streams) >= self._max:
            detail = (
                "the server is stopping" if self._stopping else f"{self._max} streams are open (BATCHLAB_MAX_STREAMS)"
            )
            raise ProblemError("busy", detail, headers={"Retry-After": "5"})
        stream = Stream(watch, Seen(cursor))
        self._streams.add(stream)
        self.poller.now()
        return stream

    def close(self, stream: Stream) -> None:
        self._streams.discard(stream)

    def stop(self) -> None:
        """Say goodbye on every stream, and open no more; safe to call in a signal handler."""
        self._stopping = True
        for stream in tuple(self._streams):
            _say_goodbye(stream, "stopping")

    def poll(self) -> None:
        """Look once at every watched experiment and tell what changed."""
        watched = defaultdict(list)
        for stream in tuple(self._streams):
            if stream.outbox.empty():
                watched[stream.watch.experiment].append(stream)
        for experiment, streams in watched.items():
            self._tell(experiment, streams)

    def _tell(self, experiment: str, streams: list[Stream]) -> None:
        try:
            pulse = self.pulse(experiment)
        except NotFound:
            for stream in streams:
                _say_goodbye(stream, "finished")
            return
        shared = _Shared(self._points)
        for stream in streams:
            events, stream.seen = advance(pulse, stream.watch, stream.seen, shared)
            if events:
                stream.tell(events)


def _say_goodbye(stream: Stream, reason: str) -> None:
    stream.tell([_event("bye", models.ByeEvent.model_validate({"reason": reason}), stream.seen.cursor)])


class _Shared:
    """Reads points once for all streams that need the same ones."""

    def __init__(self, read: PointsReader) -> None:
        self._read = read
        self._known: dict[tuple[object, ...], list[models.CurvePoints]] = {}

    def __call__(self, watch: Watch, behind: Stretches) -> list[models.CurvePoints]:
        key = (watch, tuple(sorted(behind.items())))
        if key not in self._known:
            self._known[key] = self._read(watch, behind)
        return self._known[key]
