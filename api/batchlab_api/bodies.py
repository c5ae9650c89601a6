"""JSON bodies: read whole (the middleware bounds them), checked for type and depth, then parsed strictly.

Reading is a dependency and not FastAPI's own body parameter, so that nothing is parsed before the guard has passed the
request, and so that faults carry the path within the body.
"""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, NoReturn, TypeVar

from batchlab import complaints
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from batchlab_api.problems import ProblemError

MAX_DEPTH = 32
T = TypeVar("T", bound=BaseModel)

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def depth(text: bytes) -> int:
    """The deepest nesting of lists and objects in a JSON text, found without parsing it."""
    deepest = level = 0
    for token in _TOKENS.findall(text):
        level += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token, 0)
        deepest = max(deepest, level)
    return deepest


async def raw_json(request: Request) -> bytes:
    """The body's bytes; raises where it is not declared as JSON."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ProblemError("not-json", "send Content-Type: application/json")
    return body


def json_body(body: Annotated[bytes, Depends(raw_json)]) -> Any:
    """The parsed body; an empty one counts as `{}`."""
    if depth(body) > MAX_DEPTH:
        raise ProblemError("bad-body", f"nested deeper than {MAX_DEPTH} levels")
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_not_json) if body else {}
        _check_text(data)
    except ValueError as error:
        raise ProblemError("bad-body", f"this is not JSON: {error}") from error
    return data


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON: write null or a finite number")


def _check_text(data: Any) -> None:
    """Refuse what the database cannot hold: a NUL, or half of a surrogate pair."""
    if isinstance(data, str):
        data.encode("utf-8")
        if "\0" in data:
            raise ValueError("a text may not hold the character NUL")
    elif isinstance(data, dict):
        _check_text([*data, *data.values()])
    elif isinstance(data, list):
        for item in data:
            _check_text(item)


JsonBody = Annotated[Any, Depends(json_body)]


def body_of(model: type[T]) -> Callable[..., T]:
    """A dependency that reads the body as a `model`."""

    def read(data: JsonBody) -> T:
        return checked(model, data)

    return read


def checked(model: type[T], data: Any) -> T:
    """`data` as a `model`, or a problem with every fault."""
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        faults = complaints.faults(error, data)
        detail = "; ".join(f"{'.'.join(map(str, f.loc)) or 'body'}: {f.msg}" for f in faults)
        raise ProblemError("bad-body", detail, faults=faults) from error


async def no_foreign_body(request: Request) -> None:
    """For writes that take no body: what an HTML form could send is refused all the same."""
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        await raw_json(request)
