"""The application: everything is wired here, and nothing is made at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from batchlab_db import settings as db_settings
from batchlab_db.settings import Settings
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from batchlab_api import dashboard, middleware, openapi, present, problems
from batchlab_api.hosts import Hosts
from batchlab_api.lab import Lab
from batchlab_api.routes import (
    analyses,
    catalog,
    cells,
    checkpoints,
    curves,
    datasets,
    docs,
    events,
    experiments,
    health,
    metrics,
    plots,
    results,
    schedules,
    session,
    studies,
    submit,
    tables,
    transitions,
    verdicts,
    workers,
)
from batchlab_api.security import guard
from batchlab_api.shared import Shared

GUARDED = (
    submit,
    experiments,
    transitions,
    cells,
    checkpoints,
    analyses,
    results,
    verdicts,
    curves,
    plots,
    events,
    studies,
    tables,
    schedules,
    catalog,
    datasets,
    workers,
    health,
    metrics,
    docs,
)
"""Closed without a token. What is open stands in `session`, `health.open_router` and `dashboard`, and nowhere else."""


def create_app(settings: Settings | None = None, *, bound_to: str = "127.0.0.1") -> FastAPI:
    """The api of the lab that `settings` (default: the process's) tell of, served on the address `bound_to`."""
    lab = Lab.of(settings or db_settings.settings())
    app = FastAPI(
        title="batchlab",
        version=version("batchlab"),
        description="A laboratory for how batch size, learning rate and momentum act on the training of a network.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
        responses=openapi.PROBLEMS,
    )
    app.state.lab = lab
    app.state.experiments = Shared(partial(present.as_json, lab))
    for module in GUARDED:
        app.include_router(module.router, dependencies=[Depends(guard)])
    app.include_router(health.open_router)
    app.include_router(session.router)
    dashboard.mount(app)
    problems.install(app)
    openapi.install(app, guarded=not lab.gate.open)
    _wrap(app, lab, bound_to)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _wrap(app: FastAPI, lab: Lab, bound_to: str) -> None:
    # The last one added is the outermost.
    app.add_middleware(middleware.Conditional)
    settings = lab.settings
    app.add_middleware(middleware.BodyLimit, limit=settings.max_body_bytes, upload_limit=settings.max_upload_bytes)
    app.add_middleware(middleware.HostGuard, hosts=Hosts([bound_to, *settings.allowed_hosts]))
    app.add_middleware(middleware.Envelope, requests=lab.requests)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    lab: Lab = app.state.lab
    lab.start()
    try:
        yield
    finally:
        lab.stop()
