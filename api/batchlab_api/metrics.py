"""What Prometheus reads at `/metrics`: this process's requests, and the lab's state out of the database.

Labels are bounded: never an experiment, a user or a message. What cannot be read is absent, not 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from batchlab_db.observe import Census
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
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
    """A number that goes up and down."""
    return GaugeMetricFamily(f"batchlab_{name}", text, value=value)


def counter(name: str, text: str, value: float) -> Metric:
    """A number that only grows; `_total` is added to its name."""
    return CounterMetricFamily(f"batchlab_{name}", text, value=value)


def build_info() -> Metric:
    """The version, as a label of a constant."""
    return InfoMetricFamily("batchlab_build", "What runs here.", value={"version": version("batchlab")})


@dataclass(frozen=True)
class Column:
    """A part of the census as a family: `labels` are the names of its keys."""

    part: str
    name: str
    text: str
    labels: tuple[str, ...]
    family: type[GaugeMetricFamily | CounterMetricFamily] = GaugeMetricFamily

    def of(self, census: Census) -> Metric:
        """The family with the numbers of this census."""
        made = self.family(f"batchlab_{self.name}", self.text, labels=self.labels)
        for key, value in getattr(census, self.part).items():
            made.add_metric((key,) if isinstance(key, str) else key, value)
        return made


COLUMNS = (
    Column("cells", "cells", "Cells by status.", ("status",)),
    Column("failures", "cell_failures", "Failed cells by cause.", ("cause",)),
    Column("cohorts", "queue_cohorts", "Unfinished cohorts.", ("queue", "state")),
    Column("oldest_ready", "queue_oldest_ready_seconds", "Wait of the oldest claimable work.", ("queue",)),
    Column("workers", "workers", "Living workers.", ("queue", "state")),
    Column("sizes", "db_size_bytes", "Size on disk, indexes included.", ("table",)),
    Column("slices", "slices", "Slices ended, by how.", ("outcome",), CounterMetricFamily),
    Column("updates", "updates", "Updates trained in slices.", ("engine", "device"), CounterMetricFamily),
)


def of_census(census: Census) -> Iterator[Metric]:
    """The lab's state as families."""
    yield from (column.of(census) for column in COLUMNS)
    for name, value in census.counters.items():
        yield counter(name.removesuffix("_total"), "Counted by the reconciler.", value)
    if census.reconciled_at is not None:
        name = "reconciler_last_success_timestamp_seconds"
        yield gauge(name, "When a reconciler last ended well.", census.reconciled_at)
