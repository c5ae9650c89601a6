"""The dashboard's files: one page, its modules and styles, and the Vega bundle that draws its charts.

They hold no data, so they need no token; everything they show they ask the api for.
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import APIRouter, FastAPI, Header, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).with_name("static")
REVALIDATE = {"Cache-Control": "no-cache"}
"""A browser asks each time whether a file has changed, so that an upgrade never mixes old modules with new ones."""
EXPORTS = "window.vegaEmbed = vegaEmbed;"

router = APIRouter(include_in_schema=False)


class Bundle(NamedTuple):
    """A script, packed, with the tag that names its content."""

    plain: bytes
    packed: bytes
    tag: str


@cache
def vega_bundle() -> Bundle:
    """Vega, Vega-Lite and vega-embed as one script that needs no network; made once, in about a second."""
    import vl_convert

    plain = vl_convert.javascript_bundle(EXPORTS).encode()
    return Bundle(plain, gzip.compress(plain, 6, mtime=0), f'"{hashlib.sha256(plain).hexdigest()[:24]}"')


class _Revalidated(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(REVALIDATE)
        return response


FILES = _Revalidated(directory=FOLDER)


@router.get("/")
async def page(request: Request) -> Response:
    """The page itself."""
    return await FILES.get_response("index.html", request.scope)


@router.get("/static/vega.js")
def vega(
    if_none_match: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """The script that draws charts."""
    script = vega_bundle()
    headers = {**REVALIDATE, "ETag": script.tag, "Vary": "Accept-Encoding"}
    if script.tag in if_none_match:
        return Response(status_code=304, headers=headers)
    if "gzip" in accept_encoding:
        return Response(script.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type="text/javascript")
    return Response(script.plain, headers=headers, media_type="text/javascript")


def mount(app: FastAPI) -> None:
    """Serve the dashboard at `/` and its files below `/static`."""
    app.include_router(router)
    app.mount("/static", FILES)
