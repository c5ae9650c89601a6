"""Serve the api: `python -m batchlab_api --host 127.0.0.1 --port 8000`.

A stop signal first ends the event streams, so that they do not hold the server up, then lets requests under way end;
after four seconds it goes anyway. Its exit status is then 0.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import uvicorn
from batchlab_db import logs
from batchlab_db.settings import Settings
from batchlab_db.settings import settings as process_settings
from fastapi import FastAPI

from batchlab_api.app import create_app
from batchlab_api.hosts import is_loopback

GRACE_SECONDS = 4
REFUSED = 2


class Server(uvicorn.Server):
    """A uvicorn that says goodbye to its streams, and for which a stop signal is no failure."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._lab = app.state.lab

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop; a second Ctrl-C stops at once. The signal is not raised again afterwards: the status stays 0."""
        self._lab.hub.stop()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def refusal(settings: Settings, host: str) -> str | None:
    """Why this address may not be served, or None."""
    if is_loopback(host) or (settings.token and settings.token.get_secret_value()):
        return None
    return (
        f"refusing to listen on {host} without a token: anybody who reaches it could run work here.\n"
        "Set BATCHLAB_TOKEN (or BATCHLAB_TOKEN_FILE) to a long random text, or listen on 127.0.0.1."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped; the exit status."""
    parser = argparse.ArgumentParser(prog="batchlab api", description="Serve the api and the dashboard.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args(argv)
    settings = process_settings()
    if problem := refusal(settings, args.host):
        print(problem, file=sys.stderr)
        return REFUSED
    logs.configure()
    app = create_app(settings, bound_to=args.host)
    server = Server(_config(app, args.host, args.port), app)
    server.run()
    return 0 if server.started else 1


def _config(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
