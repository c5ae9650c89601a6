"""The bench, and the way to the helper modules beside the tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchlab_db.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))

from beds import Bed
from kit import Bench
from redis import Redis


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    """A bench on the test's own database."""
    made = Bench(settings)
    yield made
    made.engine.dispose()


@pytest.fixture
def settings_redis(settings: Settings) -> Iterator[Redis]:
    """The broker of the settings, as a plain client."""
    path = settings.broker_url.get_secret_value().removeprefix("redis+socket://")
    with Redis(unix_socket_path=path) as client:
        yield client


@pytest.fixture
def bed(bench: Bench) -> Bed:
    """Cells to be filled with series."""
    return Bed(bench)
