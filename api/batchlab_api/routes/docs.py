"""The OpenAPI document, and a page that shows it without fetching anything from elsewhere."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse

from batchlab_api import docs

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
def show_openapi(request: Request) -> JSONResponse:
    """The OpenAPI 3.1 document."""
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


@router.get("/docs")
def show_docs(request: Request) -> HTMLResponse:
    """The same for people."""
    return HTMLResponse(docs.page(request.app.openapi()))
