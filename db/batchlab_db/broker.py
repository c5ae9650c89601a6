"""Celery's settings, and wake-ups. A message says only "look": Postgres holds the work, so a lost one costs seconds."""

import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

import structlog
from celery import Celery
from kombu.entity import Queue

from batchlab_db.demand import QUEUES
from batchlab_db.settings import Settings

TASK = "batchlab.slice"
WAKE_SECONDS = 2.0
"""How long sending may take altogether: the reconciler sends again what got lost."""

log = structlog.get_logger("batchlab.broker")


def broker_url(settings: Settings) -> str:
    """The broker's address, with the password that came apart from it."""
    url = settings.broker_url.get_secret_value()
    if settings.broker_password is None:
        return url
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    password = quote(settings.broker_password.get_secret_value(), safe="")
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0]}:{password}@{place}"))


def make_celery(settings: Settings) -> Celery:
    """The Celery application that workers run: one slice at a time, nothing kept in the broker."""
    return _application(broker_url(settings), timeout=5.0)


def _application(url: str, timeout: float) -> Celery:
    """`timeout`: seconds for a connection and for each answer."""
    app = Celery("batchlab", broker=url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue=QUEUES[0],
        task_create_missing_queues=False,
        # A lost message is sent again by the reconciler: nothing here retries, and nothing is kept for redelivery.
        # (With its own emulation of acknowledgements, Celery 5.7's worker may exit when Redis dies.)
        task_publish_retry=False,
        broker_transport_options={
            "ack_emulation": False,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        broker_connection_timeout=timeout,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        worker_pool="solo",
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_soft_shutdown_timeout=30,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


@lru_cache(maxsize=8)
def _sender(url: str) -> Celery:
    """For sending alone: a short patience, and at most one more attempt, at once."""
    app = _application(url, timeout=WAKE_SECONDS / 4)
    at_once = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    app.conf.broker_transport_options = app.conf.broker_transport_options | at_once
    return app


def wake(settings: Settings, queues: Iterable[str], n: int = 1) -> int:
    """Send `n` wake-ups to each queue; returns how many went out. Never raises, and takes two seconds at the most."""
    return wake_each(settings, dict.fromkeys(queues, n))


def wake_each(settings: Settings, wanted: Mapping[str, int]) -> int:
    """As `wake`, with a number for each queue."""
    deadline = time.monotonic() + WAKE_SECONDS / 2
    sent = 0
    try:
        for queue in (queue for queue, n in wanted.items() for _ in range(n)):
            if time.monotonic() > deadline:
                break
            _sender(broker_url(settings)).send_task(TASK, queue=queue, retry=False)
            sent += 1
    except Exception as error:  # a wake-up is best effort, whatever the broker or its driver raises
        log.warning("broker away", error=type(error).__name__, sent=sent)  # its text may hold the address
    return sent


def ping(settings: Settings) -> None:
    """Raise whatever the broker raises where it does not answer within two seconds."""
    with _sender(broker_url(settings)).connection_for_write() as connection:
        connection.default_channel.client.ping()
