"""What can go wrong, as one tree. Every message says what to do.

ClientError
├── NotReachedError          no answer: the server is away, or the address is wrong
├── WaitTimeoutError         the experiment did not finish in the time given
└── RefusedError             the server answered with a problem (RFC 9457), kept as `problem`
    ├── BadSpecError         422: what was sent is wrong, each fault with its path
    ├── TokenNeededError     401
    ├── NotFoundError        404
    ├── ConflictError        409: the status does not allow it, or the key was used for another body
    └── ServerFailedError    5xx
"""

from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from batchlab_client.models import Problem

REMEDIES = {
    401: "set BATCHLAB_TOKEN, or pass token= (on the server, `batchlab token` prints it)",
    429: "wait a minute and try again",
    507: "delete experiments that are no longer needed, or free space on the server's disk",
}


class ClientError(Exception):
    """Something kept the client from its answer."""


class NotReachedError(ClientError):
    """The server did not answer."""

    def __init__(self, url: str, cause: object) -> None:
        super().__init__(
            f"{url} cannot be reached ({cause}): start a lab with `batchlab up`, "
            "or name another server by --url or BATCHLAB_URL"
        )


class WaitTimeoutError(ClientError):
    """The experiment did not finish in the time given."""


class RefusedError(ClientError):
    """The server answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(describe(problem))
        self.problem = problem


class BadSpecError(RefusedError):
    """What was sent is wrong; `problem.errors` says where."""


class TokenNeededError(RefusedError):
    """The server wants a token, or another one."""


class NotFoundError(RefusedError):
    """There is no such experiment, cell, plot or study."""


class ConflictError(RefusedError):
    """The experiment's status does not allow it, or the idempotency key was used for another body."""


class ServerFailedError(RefusedError):
    """The server failed; its log has more under the problem's request id."""


BY_STATUS: dict[int, type[RefusedError]] = {
    401: TokenNeededError,
    404: NotFoundError,
    409: ConflictError,
    422: BadSpecError,
}


def describe(problem: Problem) -> str:
    """A problem in words: title, one line a fault (else the detail, which sums them up), and the remedy if known."""
    lines = [f"{problem.title}: {problem.detail}" if problem.detail and not problem.errors else problem.title]
    lines += [f"  {'.'.join(map(str, fault.loc)) or 'the whole'}: {fault.msg}" for fault in problem.errors or []]
    if remedy := REMEDIES.get(problem.status):
        lines.append(remedy)
    if problem.status >= 500:
        lines.append(f"request {problem.request_id}: the server's log says more")
    return "\n".join(lines)


def refused(status: int, body: Any) -> RefusedError:
    """The error for an answer of `status` with the JSON `body` (None where there was none)."""
    try:
        problem = Problem.model_validate(body)
    except ValidationError:
        problem = Problem(
            type="about:blank",
            title=f"{status} {HTTPStatus(status).phrase if status in set(HTTPStatus) else ''}".strip(),
            status=status,
            detail="the answer is not one of a batchlab server: is the address right?",
            request_id="unknown",
        )
    kind = ServerFailedError if status >= 500 else BY_STATUS.get(status, RefusedError)
    return kind(problem)
