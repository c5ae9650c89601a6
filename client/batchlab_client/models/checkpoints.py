"""Kept weights: what of them there is."""

from datetime import datetime

from batchlab_client.models.base import Links, Model


class Checkpoint(Model):
    """The weights of a cell after some number of updates."""

    cell: str
    ordinal: int
    step: int
    """After how many updates; 0: the initial weights."""
    labels: list[str]
    """The policies of the spec that ask for them: last, best_val_loss, at, every, trajectory."""
    sha256: str
    """Of the safetensors file at `links.file`: equal weights have equal ones."""
    bytes: int
    written_at: datetime
    links: Links


class CheckpointList(Model):
    """The kept weights of an experiment, by cell and step, and the room that they take."""

    items: list[Checkpoint]
    bytes: int
    """In the database: equal weights count once."""


class CheckpointsDeleted(Model):
    """What was deleted."""

    checkpoints: int
