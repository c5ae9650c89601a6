"""Who may do what: one token, given as a Bearer by scripts and exchanged for a signed cookie by the dashboard.

Default deny: `guard` is a dependency of every router but the open one, so that a route added later is closed. It looks
at headers alone, never at the address asked for.
"""

import hashlib
import hmac
import time
from collections import OrderedDict, deque
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from itsdangerous import BadSignature, URLSafeTimedSerializer

from batchlab_api.problems import ProblemError

COOKIE = "batchlab"
COOKIE_SECONDS = 30 * 24 * 3600
WINDOW_SECONDS = 60.0
MAX_WRONG = 10
_MAX_ADDRESSES = 10_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, description="The lab's token (`batchlab token` prints it).")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Given by `POST /login` in exchange for the token.")


class Throttle:
    """Counts wrong tokens by address over the last minute."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[tuple[float, bytes]]] = OrderedDict()

    def add(self, address: str, token: str) -> int:
        """Remember a wrong token; how many came from there within the window, this one included."""
        found = self._wrong.setdefault(address, deque(maxlen=10 * MAX_WRONG))
        self._wrong.move_to_end(address)
        found.append((time.monotonic(), hashlib.sha256(token.encode()).digest()))
        while len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)
        return len(self._recent(address))

    def guessing(self, address: str) -> bool:
        """Whether so many different wrong tokens came from there that it looks like guessing: then not even the right
        one is looked at. One forgotten script that repeats its old token locks nobody out."""
        return len({digest for _, digest in self._recent(address)}) > MAX_WRONG

    def _recent(self, address: str) -> list[tuple[float, bytes]]:
        since = time.monotonic() - WINDOW_SECONDS
        return [entry for entry in tuple(self._wrong.get(address, ())) if entry[0] >= since]


class Gate:
    """Knows the token and signs cookies with a key made from it: another token, and every cookie is void.

    Without a token everybody who reaches the server may pass (it then listens on the loopback address alone).
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._throttle = Throttle()
        key = hashlib.sha256(b"batchlab cookie " + (token or "").encode()).hexdigest()
        self._signer = URLSafeTimedSerializer(key, salt="batchlab.session")
        self.refused = 0
        """Wrong tokens so far, for the metrics."""

    @property
    def open(self) -> bool:
        return self._token is None

    def check_token(self, given: str, address: str) -> None:
        """Raise unless `given` is the token."""
        if self._token is None:
            return
        if self._throttle.guessing(address):
            raise _too_many()
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            self.refused += 1
            raise _too_many() if self._throttle.add(address, given) > MAX_WRONG else _denied("the token is wrong")

    def cookie(self) -> str:
        return self._signer.dumps("lab")

    def knows_cookie(self, value: str) -> bool:
        try:
            self._signer.loads(value, max_age=COOKIE_SECONDS)
        except BadSignature:
            return False
        return True


def _denied(why: str) -> ProblemError:
    detail = f"{why}: send `Authorization: Bearer TOKEN` (`batchlab token` prints it), or log in on the dashboard"
    return ProblemError("token-needed", detail, headers={"WWW-Authenticate": "Bearer"})


def _too_many() -> ProblemError:
    return ProblemError("too-many-attempts", "wait a minute", headers={"Retry-After": str(int(WINDOW_SECONDS))})


def gate_of(request: Request) -> Gate:
    found: Gate = request.app.state.lab.gate
    return found


def address_of(request: Request) -> str:
    """The client's address, as the server's proxy settings see it."""
    return request.client.host if request.client else "local"


async def guard(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> None:
    """Let the request pass, or raise: 401 without a good token or cookie, 403 for a write from another site.

    It waits for nothing, and is async so that no request goes to a thread and back for it.
    """
    gate = gate_of(request)
    if not gate.open and bearer is not None:
        gate.check_token(bearer.credentials, address_of(request))
        return
    if not gate.open and not (cookie and gate.knows_cookie(cookie)):
        raise _denied("no token was given")
    same_site(request)


def same_site(request: Request) -> None:
    """Refuse a write that another web page sent. Scripts send neither header; a script with a Bearer need not."""
    if request.method in _SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        allowed = origin is None or origin.partition("://")[2].lower() == request.headers["host"].lower()
    if not allowed:
        raise ProblemError("cross-site", "writes are taken from this server's own pages, and from scripts")


def set_cookie(request: Request, response: Response, value: str) -> None:
    """Hand out the session cookie: for this site alone, out of reach of scripts."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, value, max_age=COOKIE_SECONDS, path="/", httponly=True, samesite="strict", secure=secure
    )
