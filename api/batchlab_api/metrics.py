"""What Prometheus reads at `/metrics`: this process's requests, and the lab's state out of the database.

Labels are bounded: never an experiment, a user or a message. What cannot be read is absent, not 0.
"""

from collections.abc import Iterator

from batchlab_db.observe import Census
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})


class Requests:
    """Counts and times this process's requests by route."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "batchlab_http_request_seconds",
            "Time from a request to the end of its answer.",
            ("route", "method", "code"),
            registry=self._registry,
            buckets=BUCKETS,
        )

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is the route's pattern, `status` the answer's."""
        known = method if method in _METHODS else "other"
        self._seconds.labels(route, known, str(status)).observe(seconds)

    def text(self, families: Iterator[Metric]) -> bytes:
        """The page: these counts, and then `families`."""
        registry = CollectorRegistry()
        registry.register(_Fixed(list(families)))
        return generate_latest(self._registry) + generate_latest(registry)


class _Fixed:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"batchlab_{name}", text, value=value)


def counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"batchlab_{name}", text, value=value)


def _by(family: GaugeMetricFamily | CounterMetricFamily, rows: Iterator[tuple[tuple[str, ...], float]]) -> Metric:
    for labels, value in rows:
        family.add_metric(labels, value)
    return family


def of_census(census: Census) -> Iterator[Metric]:
    """The lab's state as families."""
    yield _by(
        GaugeMetricFamily("batchlab_cells", "Cells by status.", labels=("status",)),
        (((status,), n) for status, n in census.cells.items()),
    )
    yield _by(
        GaugeMetricFamily("batchlab_queue_cohorts", "Unfinished cohorts.", labels=("queue", "state")),
        iter(census.cohorts.items()),
    )
    yield _by(
        GaugeMetricFamily(
            "batchlab_queue_oldest_ready_seconds", "How long the oldest claimable work has waited.", labels=("queue",)
        ),
        (((queue,), seconds) for queue, seconds in census.oldest_ready.items()),
    )
    yield _by(
        GaugeMetricFamily("batchlab_workers", "Living workers.", labels=("queue", "state")),
        iter(census.workers.items()),
    )
    yield _by(
        CounterMetricFamily("batchlab_slices", "Slices ended, by how.", labels=("outcome",)),
        (((outcome,), n) for outcome, n in census.slices.items()),
    )
    yield _by(
        CounterMetricFamily("batchlab_updates", "Updates trained in ended slices.", labels=("engine", "device")),
        iter(census.updates.items()),
    )
    yield _by(
        GaugeMetricFamily("batchlab_db_size_bytes", "Size on disk, indexes included.", labels=("table",)),
        (((table,), size) for table, size in census.sizes.items()),
    )
    for name, value in census.counters.items():
        yield counter(name.removesuffix("_total"), "Counted by the reconciler.", value)
    if census.reconciled_at is not None:
        name = "reconciler_last_success_timestamp_seconds"
        yield gauge(name, "When a reconciler last ended well.", census.reconciled_at)
