"""A typed client of the lab: `with Client() as lab: lab.wait(lab.submit(spec).id)`."""

from batchlab_client.client import Client
from batchlab_client.errors import (
    BadSpecError,
    ClientError,
    ConflictError,
    NotFoundError,
    NotReachedError,
    RefusedError,
    ServerFailedError,
    TokenNeededError,
    WaitTimeoutError,
)
from batchlab_client.events import Event

__all__ = [
    "BadSpecError",
    "Client",
    "ClientError",
    "ConflictError",
    "Event",
    "NotFoundError",
    "NotReachedError",
    "RefusedError",
    "ServerFailedError",
    "TokenNeededError",
    "WaitTimeoutError",
]
