"""What lies around every request, outermost first: the envelope, the Host check, the body limit, conditional GETs.

These are plain ASGI callables, so that streams pass through them untouched.
"""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchlab_api import problems
from batchlab_api.hosts import Hosts
from batchlab_api.metrics import Requests

log = structlog.get_logger()

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Envelope:
    """Gives each request an id (answer, log and problem carry it), safe headers, and a problem where code failed."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["batchlab.request_id"] = uuid4().hex[:16]
        answer = _Answer(scope, send)
        with structlog.contextvars.bound_contextvars(request_id=scope["batchlab.request_id"]):
            try:
                await self.app(scope, receive, answer.send)
            except Exception:
                await answer.failed(receive)
            finally:
                answer.close(self.requests)


class _Answer:
    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self._send = scope, send
        self.status: int | None = None
        self.began = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.scope["batchlab.request_id"]
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if headers.get("content-type", "").startswith("text/event-stream"):
                headers["Cache-Control"] = "no-cache, no-transform"
        await self._send(message)

    async def failed(self, receive: Receive) -> None:
        """Log what the code raised; answer with a 500 unless an answer is under way (then it just breaks off)."""
        log.exception("request failed", method=self.scope["method"], path=self.scope["path"])
        if self.status is None:
            response = problems.respond(
                self.scope["batchlab.request_id"], "internal", "the log has more under this request id"
            )
            await response(self.scope, receive, self.send)

    def close(self, requests: Requests) -> None:
        seconds = time.perf_counter() - self.began
        route = getattr(self.scope.get("route"), "path", "none")
        requests.observe(route, self.scope["method"], self.status or 499, seconds)
        log.info(
            "request",
            method=self.scope["method"],
            path=self.scope["path"],
            status=self.status,
            seconds=round(seconds, 4),
        )


class HostGuard:
    """Refuses requests that name another host, before anything looks at their path: a web page whose name is bound
    anew to this address sends same-origin requests, and only Host tells them apart."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._allows(scope):
            detail = "set BATCHLAB_ALLOWED_HOSTS to the names under which this server may be addressed"
            response = problems.respond(scope["batchlab.request_id"], "bad-host", detail)
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        # A target in absolute form would bring a host of its own.
        return scope["path"].startswith("/") and self.hosts.allow(_values(scope, b"host"))


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


UPLOAD = ("POST", "/datasets")
"""The request whose body may be large."""


@dataclass(frozen=True)
class Bound:
    """How long a body may be, and the setting that says so."""

    bytes: int
    setting: str

    @property
    def detail(self) -> str:
        return f"at most {self.bytes} bytes are taken ({self.setting})"


class BodyLimit:
    """Refuses a body as soon as it is over the limit; what Content-Length says is not trusted, only believed early.

    Every body is small but one: the file of a data set.
    """

    def __init__(self, app: ASGIApp, limit: int, upload_limit: int) -> None:
        self.app = app
        self.usual = Bound(limit, "BATCHLAB_MAX_BODY_BYTES")
        self.upload = Bound(upload_limit, "BATCHLAB_MAX_UPLOAD_BYTES")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bound = self.upload if (scope["method"], scope["path"]) == UPLOAD else self.usual
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared[:18]) > bound.bytes:
            response = problems.respond(scope["batchlab.request_id"], "body-too-large", bound.detail)
            await response(scope, receive, send)
            return
        await self.app(scope, self._counted(receive, bound), send)

    def _counted(self, receive: Receive, bound: Bound) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > bound.bytes:
                raise problems.ProblemError("body-too-large", bound.detail)
            return message

        return counted


class Conditional:
    """Gives each JSON answer to a GET an ETag (of its bytes), and answers 304 where the client has those already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = scope["type"] == "http" and scope["method"] == "GET"
        await self.app(scope, receive, _Tagger(scope, send).send if wanted else send)


class _Tagger:
    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._start: Message | None = None
        self._body: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _taggable(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(self._start, b"".join(self._body))

    async def _finish(self, start: Message, body: bytes) -> None:
        headers = MutableHeaders(scope=start)
        tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        headers["ETag"] = tag
        headers.setdefault("Cache-Control", "private, no-cache")
        if matches(_values(self._scope, b"if-none-match"), tag):
            start["status"] = 304
            del headers["content-length"], headers["content-type"]
            body = b""
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _taggable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "").partition(";")[0]
    return start["status"] == 200 and kind == "application/json" and "etag" not in headers


def matches(if_none_match: Iterable[str], tag: str) -> bool:
    """Whether one of the header's tags is `tag`, compared weakly (RFC 9110, 13.1.2)."""
    given = {part.strip().removeprefix("W/") for value in if_none_match for part in value.split(",")}
    return tag.removeprefix("W/") in given or "*" in given
