"""The real application over real Postgres and Redis."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from batchlab_api.app import create_app
from batchlab_db.settings import Settings
from fastapi.testclient import TestClient
from pydantic import SecretStr

# Examples take as long as the machine lets them: no test of ours is about time.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
sys.path.insert(0, str(Path(__file__).parent))

from hand import SPEC, TOKEN, Hand  # noqa: E402


@pytest.fixture
def hand(settings: Settings) -> Iterator[Hand]:
    made = Hand(settings)
    yield made
    made.engine.dispose()


Serve = Callable[..., TestClient]


@pytest.fixture
def serve(settings: Settings) -> Iterator[Serve]:
    """Starts the application with changed settings; a client that speaks to it."""
    with ExitStack() as stack:

        def start(**changes: Any) -> TestClient:
            app = create_app(settings.model_copy(update=changes))
            return stack.enter_context(TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=True))

        yield start


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A lab without a token."""
    return serve()


@pytest.fixture
def guarded(serve: Serve) -> TestClient:
    """A lab with the token TOKEN."""
    return serve(token=SecretStr(TOKEN))


@pytest.fixture
def post(client: TestClient) -> Callable[..., str]:
    """Posts SPEC, with changes; the new experiment's id."""

    def submit(**changes: Any) -> str:
        answer = client.post("/experiments", json=SPEC | changes)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    return submit
