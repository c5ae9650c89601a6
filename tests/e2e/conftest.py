"""A whole embedded lab of the tests' own: servers, api and two workers as processes, with short leases."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchlab_client import Client
from batchlab_lab.embedded import Embedded
from batchlab_lab.home import Home

SHARED = Path(__file__).parents[3] / "shared" / "data"
QUICK = {
    "BATCHLAB_SLICE_SECONDS": "2",
    "BATCHLAB_BLOCK_SECONDS": "0.2",
    "BATCHLAB_LEASE_SECONDS": "3",
    "BATCHLAB_RENEW_SECONDS": "0.5",
    "BATCHLAB_MARGIN_SECONDS": "0.5",
    "BATCHLAB_HEARTBEAT_SECONDS": "1",
    "BATCHLAB_RECONCILE_SECONDS": "0.5",
    "BATCHLAB_RESEND_SECONDS": "1",
    "BATCHLAB_BALLAST_BYTES": "0",
    "BATCHLAB_DATA": str(SHARED),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process of a parallel run takes a module's tests: they share a lab."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Two workers; every time of the lease protocol is short."""
    before = dict(os.environ)
    os.environ.update(QUICK)
    try:
        with Embedded(Home(tmp_path_factory.mktemp("lab")), port=0, workers=2) as embedded:
            _wait_for_workers(embedded)
            yield embedded
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_for_workers(lab: Embedded) -> None:
    with Client(lab.url) as client:
        while sum(w.alive for w in client.workers()) < 2:
            time.sleep(0.1)


@pytest.fixture
def client(lab: Embedded) -> Iterator[Client]:
    with Client(lab.url) as client:
        yield client
