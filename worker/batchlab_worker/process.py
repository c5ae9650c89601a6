"""The life of a worker process: wait for the schema, start the threads, serve wake-ups, and take leave."""

import os
import signal
import time

import structlog
from batchlab_db import broker, migrate, reconcile, workers
from batchlab_db.engine import transact
from batchlab_db.periodic import Every
from batchlab_db.rescue import bury
from celery import Celery
from sqlalchemy.exc import SQLAlchemyError

from batchlab_worker.app import make_worker_app, stop_consuming, work
from batchlab_worker.bench import Bench
from batchlab_worker.heartbeat import beat
from batchlab_worker.supervisor import PREDECESSOR

SCHEMA_POLL_SECONDS = 1.0
GOODBYE_SECONDS = 1.0
"""How long the threads may take to end, and then the database to hear of it."""

log = structlog.get_logger("batchlab.worker")


def serve(bench: Bench, name: str) -> int:
    """Work until asked to leave; returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leave(bench))
    log.info("worker", worker=bench.me.id, device=bench.me.device, queues=bench.me.queues)
    if not await_schema(bench):
        return bench.control.exit_status
    bury_predecessor(bench, name)
    threads = start_threads(bench)
    try:
        bench.measure()
        consume(make_worker_app(bench), bench, name)
    finally:
        say_goodbye(bench, threads)
    return bench.control.exit_status


def leave(bench: Bench) -> None:
    """End this process soon: at the next block of the slice under way, or at once."""
    bench.control.leave()
    stop_consuming(bench)


def await_schema(bench: Bench) -> bool:
    """Wait until the database is there and as new as this code; False where the process was asked to leave first."""
    said = False
    while not (ready := _schema_is_ready(bench)) and not bench.control.leaving:
        if not said:
            log.warning("waiting for the database to be up and migrated")
            said = True
        time.sleep(SCHEMA_POLL_SECONDS)
    return ready


def _schema_is_ready(bench: Bench) -> bool:
    try:
        return not migrate.behind(bench.engine)
    except SQLAlchemyError:
        return False


def bury_predecessor(bench: Bench, name: str) -> None:
    """Free at once what the process held in whose place the supervisor started this one: its lease need not run out."""
    pid, _, why = os.environ.get(PREDECESSOR, "").partition(":")
    if not pid:
        return
    worker, most = f"{name}@{bench.me.machine}-", bench.settings.max_losses
    try:
        freed = transact(bench.engine, lambda connection: bury(connection, worker, int(pid), why, most))
    except SQLAlchemyError as error:  # then the reconciler will
        log.warning("the predecessor's work stays held", error=type(error).__name__)
    else:
        log.info("predecessor", pid=int(pid), why=why, freed=freed)


def start_threads(bench: Bench) -> list[Every]:
    """The heartbeat, and the reconciler that every worker and api runs."""
    settings = bench.settings
    heart = Every("heartbeat", settings.heartbeat_seconds, lambda: beat(bench))
    bench.tell = heart.now
    threads = [heart, reconcile.thread(bench.engine, settings)]
    for thread in threads:
        thread.start()
    return threads


def consume(app: Celery, bench: Bench, name: str) -> None:
    """Serve wake-ups until told to stop. Celery's own command would print the broker's address and take the signals."""
    controller = app.WorkController(
        hostname=f"{name}@{bench.me.machine}",
        concurrency=1,
        queues=list(bench.me.queues),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    # There may be work that nobody was awake for; and where the broker is away, nobody will be woken.
    if not broker.wake(bench.settings, [bench.home_queue]):
        work(bench)
    controller.start()
    if controller.exitcode and not bench.control.leaving:
        bench.control.leave(controller.exitcode)


def say_goodbye(bench: Bench, threads: list[Every]) -> None:
    """Stop the threads and take the worker's row away."""
    Every.stop_all(threads, GOODBYE_SECONDS)
    try:
        workers.leave(bench.engine, bench.me, patience=GOODBYE_SECONDS)
    except SQLAlchemyError as error:
        log.warning("left without a word", error=type(error).__name__)
