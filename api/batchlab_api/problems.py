"""Errors as RFC 9457 problems: one table says which exception means which answer.

Every error of the server leaves through here, also 404, 405 and 500. No traceback does: the log has it, under the
request id that the problem names.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from batchlab.errors import DataError, Fault, SpecError, TooLargeError
from batchlab_client import models
from batchlab_db.engine import UNREACHABLE
from batchlab_db.errors import BadCursor, InUse, KeyReused, NameTaken, NotAllowed, NotFound
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from batchlab_api import allow
from batchlab_api.draw import DrawingTooSlow
from batchlab_api.plots import PlotTooLarge

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """What the api itself refuses: `slug` names the kind of problem in `KINDS`."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
        members: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug, self.detail = slug, detail
        self.faults, self.headers, self.members = tuple(faults), headers or {}, members or {}


KINDS: dict[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be understood"),
    "bad-host": (400, "This server does not answer to that name"),
    "bad-cursor": (400, "That is no cursor of this list"),
    "token-needed": (401, "A token is needed"),
    "cross-site": (403, "Another site may not write here"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "That cannot be done here"),
    "not-acceptable": (406, "That format is not on offer"),
    "not-allowed": (409, "The experiment's status does not allow it"),
    "name-taken": (409, "The name is taken"),
    "in-use": (409, "It is still needed"),
    "idempotency-key-reused": (409, "The key was used for another body"),
    "body-too-large": (413, "The body is too large"),
    "not-json": (415, "The body must be JSON"),
    "not-multipart": (415, "The body must be a form with a file"),
    "bad-spec": (422, "The spec is wrong"),
    "bad-parameter": (422, "A parameter is wrong"),
    "bad-body": (422, "The body is wrong"),
    "bad-data": (422, "The data cannot be used"),
    "too-large": (422, "The experiment is over a limit"),
    "too-many-points": (422, "More points than one answer may hold"),
    "too-many-attempts": (429, "Too many wrong tokens"),
    "internal": (500, "The server failed"),
    "database-away": (503, "The database cannot be reached"),
    "not-ready": (503, "A part of the server fails"),
    "busy": (503, "The server is busy"),
    "disk-full": (507, "Too little free space"),
}
"""Kind of problem -> status and title. The names are part of the contract: they never change."""

EXCEPTIONS: dict[type[Exception], str] = {
    TooLargeError: "too-large",
    SpecError: "bad-spec",
    DataError: "bad-data",
    NotFound: "not-found",
    NotAllowed: "not-allowed",
    NameTaken: "name-taken",
    InUse: "in-use",
    KeyReused: "idempotency-key-reused",
    BadCursor: "bad-cursor",
    PlotTooLarge: "too-many-points",
    DrawingTooSlow: "busy",
    **dict.fromkeys(UNREACHABLE, "database-away"),
}
"""Exception -> kind of problem. A subclass stands for itself or, if it is not listed, for its nearest parent."""


def type_uri(slug: str) -> str:
    """The problem's `type`: a place on the server's own documentation page."""
    return f"/docs#{slug}"


def pointer(loc: Sequence[str | int]) -> str:
    """A path as JSON Pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in loc)


def respond(
    request_id: str,
    slug: str,
    detail: str,
    *,
    faults: Sequence[Fault] = (),
    headers: dict[str, str] | None = None,
    members: dict[str, Any] | None = None,
    status: int | None = None,
) -> Response:
    """The answer to a refused request; `members` are further keys of the problem."""
    usual, title = KINDS[slug]
    errors = [models.Fault(loc=list(f.loc), msg=f.msg, pointer=pointer(f.loc)) for f in faults]
    problem = models.Problem(
        type=type_uri(slug),
        title=title,
        status=status or usual,
        detail=detail,
        request_id=request_id,
        errors=errors or None,
        **(members or {}),
    )
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def request_id(request: Request) -> str:
    """The id that the outermost middleware gave this request."""
    found: str = request.scope["batchlab.request_id"]
    return found


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return respond(
        request_id(request),
        error.slug,
        error.detail,
        faults=error.faults,
        headers=error.headers,
        members=error.members,
    )


def _of_table(request: Request, error: Exception) -> Response:
    slug = next(EXCEPTIONS[cls] for cls in type(error).__mro__ if cls in EXCEPTIONS)
    if slug == "database-away":
        log.warning("database away", error=str(error.__cause__ or error))
        text = "the database cannot be reached at the moment: try again"
        return respond(request_id(request), slug, text, headers={"Retry-After": "2"})
    faults = error.faults if isinstance(error, SpecError) else ()
    return respond(request_id(request), slug, str(error), faults=faults)


_BY_STATUS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 422: "bad-body"}


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    slug = _BY_STATUS.get(error.status_code, "bad-request")
    detail = error.detail or HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = allow.methods(request.app, request.scope["path"])
    return respond(request_id(request), slug, detail, headers=headers, status=error.status_code)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [Fault(tuple(e["loc"]), e["msg"]) for e in error.errors()]
    detail = "; ".join(f"{'.'.join(map(str, f.loc))}: {f.msg}" for f in faults)
    return respond(request_id(request), "bad-parameter", detail, faults=faults)


def install(app: FastAPI) -> None:
    """Let every exception of the table, and those of the framework, leave as problems."""
    app.add_exception_handler(ProblemError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    for cls in EXCEPTIONS:
        app.add_exception_handler(cls, _of_table)
