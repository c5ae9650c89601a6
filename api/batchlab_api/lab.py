"""What the routes of one process share: settings, connections, the gate, the event hub. Made once by `create_app`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from batchlab_db import reconcile
from batchlab_db.engine import make_engine
from batchlab_db.periodic import Every
from batchlab_db.settings import Settings
from fastapi import Depends, Request
from sqlalchemy import Connection, Engine, QueuePool

from batchlab_api import feeds
from batchlab_api.metrics import Requests
from batchlab_api.renderer import Renderer
from batchlab_api.security import Gate
from batchlab_api.stream import Hub

P = ParamSpec("P")
T = TypeVar("T")
STOP_SECONDS = 1.0
"""How long the threads may take to end."""


@dataclass
class Lab:
    """One process's share of the lab."""

    settings: Settings
    engine: Engine
    gate: Gate
    hub: Hub
    requests: Requests = field(default_factory=Requests)
    renderer: Renderer = field(default_factory=Renderer)
    reading: Lock = field(default_factory=Lock)
    """Held while a data set is read: one at a time."""

    @classmethod
    def of(cls, settings: Settings) -> "Lab":
        """The share that these settings give; nothing runs yet."""
        token = settings.token.get_secret_value() if settings.token else None
        engine = make_engine(settings, role="api")
        hub = Hub(*feeds.readers(engine, settings), max_streams=settings.max_streams)
        return cls(settings, engine, Gate(token or None), hub)

    def start(self) -> None:
        """Start the threads: one that watches experiments for the streams, one that reconciles."""
        self._reconciler = reconcile.thread(self.engine, self.settings)
        self._reconciler.start()
        self.hub.run()

    def stop(self) -> None:
        """End the threads and close the connections."""
        self.hub.stop()
        Every.stop_all([self.hub.poller, self._reconciler], STOP_SECONDS)
        self.engine.dispose()

    @property
    def connections_in_use(self) -> int:
        """How many of the pool's connections are checked out."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """`query(connection, …)` on a connection of its own."""
        with self.engine.connect() as connection:
            return query(connection, *args, **options)


async def _lab(request: Request) -> Lab:  # no thread is taken for it
    found: Lab = request.app.state.lab
    return found


LabDep = Annotated[Lab, Depends(_lab)]
