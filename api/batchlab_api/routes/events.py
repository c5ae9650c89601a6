"""Live events of an experiment: the one endpoint that is async (see `batchlab_api.stream`)."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from batchlab_api.axis import Axis
from batchlab_api.cursor import Cursor, Told, decode
from batchlab_api.lab import LabDep
from batchlab_api.params import ChosenBatches, ChosenCells, ExperimentId, names
from batchlab_api.stream import Pulse, Stream, Watch, start

router = APIRouter(prefix="/experiments/{id}/events", tags=["events"])

UNKNOWN = 2**62
"""An update that no cell reaches: a cell told so far is rewound."""


def _watch(
    *,
    id: ExperimentId,
    cells: ChosenCells,
    batch_size: ChosenBatches,
    metrics: Annotated[str, Query(max_length=2000, description="Series to be told, by comma; empty: none.")] = "loss",
    x: Annotated[Axis, Query(description="What the points stand at.")] = "step",
    points: Annotated[int, Query(ge=3, le=1000, description="Points a series and event, at the most.")] = 200,
) -> Watch:
    return Watch(id, names(metrics), cells, batch_size, x, points)


def _beginning(
    lab: LabDep,
    watch: Annotated[Watch, Depends(_watch)],
    after: Annotated[int | None, Query(ge=-1, description="Tell the points after this update (-1: all); "
                                                          "default: what comes from now on.")] = None,
    last_event_id: Annotated[str | None, Header(description="The id of the last event that came.")] = None,
) -> Cursor:  # fmt: skip
    pulse = lab.hub.pulse(watch.experiment)
    return resumed(pulse, watch, last_event_id) if last_event_id else start(pulse, watch, after)


def resumed(pulse: Pulse, watch: Watch, last_event_id: str) -> Cursor:
    """The cursor in an event's id. An id that is none of this server's has every cell told anew, after a rewind."""
    try:
        told = decode(last_event_id)
    except ValueError:
        told = {cell: Told(UNKNOWN, 0) for cell in pulse.cells}
    return {
        cell: at
        for cell, at in told.items()
        if cell in pulse.cells and watch.follows(cell, pulse.cells[cell].batch_size)
    }


async def _stream(
    lab: LabDep, watch: Annotated[Watch, Depends(_watch)], cursor: Annotated[Cursor, Depends(_beginning)]
) -> AsyncIterator[Stream]:
    stream = lab.hub.open(watch, cursor)
    try:
        yield stream
    finally:
        lab.hub.close(stream)


@router.get("", response_class=EventSourceResponse)
async def stream_events(stream: Annotated[Stream, Depends(_stream)]) -> AsyncIterator[ServerSentEvent]:
    """Server-Sent Events `progress`, `curves`, `rewind`, `status` and `bye`; `Last-Event-ID` resumes."""
    async for event in stream.events():
        yield event
