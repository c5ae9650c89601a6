"""The bench, and the way to the helper modules beside the tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchlab_db.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))

from kit import Bench


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    """A bench on the test's own database."""
    made = Bench(settings)
    yield made
    made.engine.dispose()
