"""Which methods an address takes: the `Allow` header of a 405 (RFC 9110, 15.5.6).

The framework names only those of the first route that fits, and routes here hold one method each.
"""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


def methods(app: FastAPI, path: str) -> str:
    """The methods of every route that fits `path`, as the header wants them."""
    found: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path is not None and compile_path(route.path)[0].match(path):
            found |= set(route.methods or ())
    return ", ".join(sorted(found))
