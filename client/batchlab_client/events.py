"""Server-Sent Events of an experiment, read from lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from batchlab_client import models

MODELS: dict[str, type[models.Model]] = {
    "progress": models.Progress,
    "curves": models.CurvesEvent,
    "rewind": models.RewindEvent,
    "status": models.StatusEvent,
    "bye": models.ByeEvent,
}


@dataclass(frozen=True)
class Event:
    """One event; `data` is the model that belongs to `name`. `ping` says only that the server is there."""

    name: str
    data: models.Model | None = None
    id: str = ""


@dataclass
class _Pending:
    name: str = "message"
    data: list[str] = field(default_factory=list)
    id: str = ""


def read(lines: Iterable[str]) -> Iterator[Event]:
    """The events in the lines of a stream (HTML Standard, 9.2.6). Events of unknown names are passed over.

    httpx2's own reader keeps comments to itself; here each is a `ping`, by which a waiting caller sees time go by.
    """
    pending = _Pending()
    for line in lines:
        if line.startswith(":"):
            yield Event("ping")
        elif line:
            _take(pending, line)
        else:
            if pending.data and pending.name in MODELS:
                data = MODELS[pending.name].model_validate_json("\n".join(pending.data))
                yield Event(pending.name, data, pending.id)
            pending = _Pending(id=pending.id)


def _take(pending: _Pending, line: str) -> None:
    name, _, value = line.partition(":")
    value = value.removeprefix(" ")
    if name == "data":
        pending.data.append(value)
    elif name == "event":
        pending.name = value
    elif name == "id":
        pending.id = value
