"""Errors."""

from pydantic import ConfigDict

from batchlab_client.models.base import Model


class Fault(Model):
    """One thing wrong with what was sent."""

    loc: list[str | int]
    """Where: a path of keys and indices."""
    msg: str
    """What is wrong, and what to do about it."""
    pointer: str
    """The same path as a JSON Pointer (RFC 6901)."""


class Problem(Model):
    """An error (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(extra="allow")

    type: str
    """A stable URI that names the kind of problem."""
    title: str
    status: int
    detail: str
    request_id: str
    """The id under which the server's log knows this request."""
    errors: list[Fault] | None = None
