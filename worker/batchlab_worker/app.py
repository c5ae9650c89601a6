"""The Celery application of a worker: one task, which is told nothing and asks the database what there is to do."""

import structlog
from batchlab_db import broker
from batchlab_db.demand import demand
from celery import Celery
from celery.worker import state as celery_state
from sqlalchemy.exc import SQLAlchemyError

from batchlab_worker.analysing import run_analysis
from batchlab_worker.bench import Bench
from batchlab_worker.slices import run_slice
from batchlab_worker.stretch import Outcome

log = structlog.get_logger("batchlab.worker")


def make_worker_app(bench: Bench) -> Celery:
    """The application whose task `batchlab.slice` works at this bench. A message is a wake-up and no more."""
    app = broker.make_celery(bench.settings)

    @app.task(name=broker.TASK)  # type: ignore[untyped-decorator]
    def slice_() -> None:
        work(bench)
        if bench.control.leaving:
            stop_consuming(bench)

    return app


def stop_consuming(bench: Bench) -> None:
    """Have Celery's loop end this process as soon as no task runs."""
    celery_state.should_stop = bench.control.exit_status


def work(bench: Bench) -> None:
    """Answer a wake-up: run a slice if there is one, and wake whoever comes next for what is left. Raises nothing.

    While the broker is away nobody can be woken, so the next slice is run here.
    """
    try:
        while not bench.control.leaving and bench.has_room() and _has_more(bench):
            pass
    except SQLAlchemyError as error:  # nothing was claimed; the reconciler will wake us again
        log.warning("database away", error=type(error).__name__)
    finally:
        bench.work_on()


def run_next(bench: Bench) -> Outcome | None:
    """A slice of training, or of an analysis after one of training, so that neither waits for the other's end."""
    kinds = (run_slice, run_analysis)
    for kind in kinds[::-1] if bench.trained_last else kinds:
        outcome = kind(bench)
        if outcome is not None:
            bench.trained_last = kind is run_slice
            return outcome
    return None


def _has_more(bench: Bench) -> bool:
    """Run a slice; whether there is more to do that nobody could be woken for."""
    if run_next(bench) is None:
        return False
    if bench.service.over:
        bench.control.leave()  # the supervisor starts a fresh process
    more = demand(bench.engine, bench.settings).get(bench.home_queue)
    return bool(more) and broker.wake(bench.settings, [bench.home_queue]) == 0
