"""Following an experiment: by its stream of events, and by asking where no stream can be had."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from batchlab_client import models
from batchlab_client.errors import ClientError, NotReachedError, RefusedError, WaitTimeoutError
from batchlab_client.events import Event, read
from batchlab_client.transport import Transport

if TYPE_CHECKING:
    from batchlab_client.client import Client

FINISHED = frozenset({"succeeded", "failed", "cancelled"})
SILENCE_SECONDS = 40.0
"""A stream that does not even ping for so long is dead (the server pings every 15 s)."""
POLL_SECONDS = 1.0
OUTAGE_SECONDS = 120.0
"""How long following an experiment puts up with a server that is away."""


def wait(
    client: "Client", id: str, timeout: float | None, on_change: Callable[[models.Experiment], None]
) -> models.Experiment:
    """The finished experiment; `on_change` sees every state on the way."""
    for experiment in watch(client, id, timeout):
        on_change(experiment)
    return experiment


def watch(client: "Client", id: str, timeout: float | None) -> Iterator[models.Experiment]:
    """The experiment now and at each change, the finished one last, its analyses included."""
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    experiment = client.get(id)
    yield experiment
    changes = _changes(client, id, deadline)
    while experiment.status not in FINISHED or _pending(experiment):
        if time.monotonic() >= deadline:
            raise WaitTimeoutError(f"{id} is {experiment.status} after {timeout:g} s; it goes on without you")
        next(changes)
        experiment = _get(client, id)
        yield experiment


def _pending(experiment: models.Experiment) -> bool:
    """Whether something is still to be computed from its trained cells."""
    return experiment.analyses.queued + experiment.analyses.running > 0


def _get(client: "Client", id: str) -> models.Experiment:
    response = client.transport.request("GET", f"/experiments/{id}", patience=OUTAGE_SECONDS)
    return models.Experiment.model_validate_json(response.content)


def _changes(client: "Client", id: str, deadline: float) -> Iterator[None]:
    """One item whenever the experiment may have changed, and often enough to look at the clock."""
    while True:
        try:
            for event in _connection(client.transport, id, (), "", min(SILENCE_SECONDS, deadline - time.monotonic())):
                if event.name != "curves":
                    yield
        except ClientError:
            pass  # the server, its streams or the time are at an end: asking will tell which
        time.sleep(max(0.0, min(POLL_SECONDS, deadline - time.monotonic())))
        yield


def events(transport: Transport, id: str, metrics: Sequence[str], last_event_id: str) -> Iterator[Event]:
    """Every event, across broken connections, until a `bye` with the reason `finished`."""
    last, heard = last_event_id, time.monotonic()
    while True:
        try:
            for event in _connection(transport, id, metrics, last, SILENCE_SECONDS):
                last, heard = event.id or last, time.monotonic()
                if event.data is not None:
                    yield event
                if isinstance(event.data, models.ByeEvent) and event.data.reason == "finished":
                    return
        except (NotReachedError, RefusedError) as error:
            away = isinstance(error, NotReachedError) or error.problem.status == 503
            if not away or time.monotonic() - heard > OUTAGE_SECONDS:
                raise
        time.sleep(POLL_SECONDS)


def _connection(
    transport: Transport, id: str, metrics: Sequence[str], last_event_id: str, silence: float
) -> Iterator[Event]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    params = {"metrics": ",".join(metrics)} if metrics else {}
    with transport.stream(f"/experiments/{id}/events", headers, params, max(silence, 0.1)) as lines:
        yield from read(lines)
