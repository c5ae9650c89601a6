"""The events of an experiment's stream."""

from typing import Literal

from batchlab_client.models.base import Model, Number, Status


class StatusEvent(Model):
    """`event: status`: the experiment's status has changed (and the first event of every stream)."""

    status: Status
    error: str | None


class CurvePoints(Model):
    """New points of one series: what `GET .../curves` would add after the last ones sent."""

    cell: str
    metric: str
    x: list[float]
    mean: list[Number]
    min: list[Number]
    max: list[Number]


class CurvesEvent(Model):
    """`event: curves`: the points since the last event (or since `Last-Event-ID`)."""

    series: list[CurvePoints]


class RewindEvent(Model):
    """`event: rewind`: drop the points of this cell after update `step`; they are coming again."""

    cell: str
    step: int


class ByeEvent(Model):
    """`event: bye`: the server ends the stream (`stopping`), or nothing will ever follow (`finished`)."""

    reason: Literal["stopping", "finished"]
