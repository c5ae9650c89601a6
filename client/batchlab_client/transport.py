"""Requests that outlast a server's restart, and answers as models or errors."""

import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx2

from batchlab_client.errors import NotReachedError, RefusedError, refused

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine."""
    host = httpx2.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Transport:
    """Sends to one server. What is safe to repeat is repeated for `patience` seconds while the server is away.

    A request to this machine goes to it directly, whatever proxy the environment names.
    """

    def __init__(self, url: str, token: str | None, *, timeout: float, patience: float) -> None:
        self.url, self.patience = url.rstrip("/"), patience
        self._http = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout,
            trust_env=not is_loopback(url),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self, method: str, path: str, *, repeat: bool = True, patience: float | None = None, **sent: Any
    ) -> httpx2.Response:
        """The answer, if it is a good one; raises RefusedError or NotReachedError.

        Without `repeat` only a request that never left, or that a busy server turned away, is sent again.
        """
        wait = self.patience if patience is None else patience

        def once() -> httpx2.Response:
            return checked(self._http.request(method, path, **sent))

        return persist(once, wait, lambda error: worth_repeating(error, repeat), self.url)

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], params: Mapping[str, Any], timeout: float) -> Iterator[Any]:
        """The lines of an endless answer; a silence of `timeout` seconds ends it with NotReachedError."""
        limits = httpx2.Timeout(timeout, connect=5.0)
        try:
            with self._http.stream("GET", path, headers=headers, params=params, timeout=limits) as response:
                if response.is_error:
                    response.read()
                yield checked(response).iter_lines()
        except httpx2.TransportError as error:
            raise NotReachedError(self.url, reason(error)) from error


def persist(once: Callable[[], T], patience: float, worth: Callable[[Exception], bool], url: str) -> T:
    """Call `once` until it returns, for `patience` seconds while its errors are worth repeating."""
    deadline, pause = time.monotonic() + patience, FIRST_PAUSE
    while True:
        try:
            return once()
        except (httpx2.TransportError, RefusedError) as error:
            if not worth(error) or time.monotonic() + pause > deadline:
                if isinstance(error, RefusedError):
                    raise
                raise NotReachedError(url, reason(error)) from error
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def worth_repeating(error: Exception, repeat: bool) -> bool:
    """Whether the same request may go out again: always if it never arrived, else if repeating does no harm."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return True
    if isinstance(error, RefusedError):
        return repeat and error.problem.status == 503
    return repeat


def checked(response: httpx2.Response) -> httpx2.Response:
    """The response itself if it is a success; raises the error that its problem describes."""
    if response.is_success:
        return response
    try:
        body = response.json()
    except ValueError:
        body = None
    raise refused(response.status_code, body)


def reason(error: Exception) -> str:
    """An error in a few words."""
    return str(error) or type(error).__name__
