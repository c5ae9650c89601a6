"""A real server process, and a listener to its events."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx2

PATIENCE = 30.0


def until(what: Callable[[], Any]) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


class Server:
    """`python -m batchlab_api` on a free port."""

    def __init__(self, environment: dict[str, str], folder: Path, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder / f"api-{self.port}.log"
        command = [sys.executable, "-m", "batchlab_api", "--port", str(self.port), *arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE)

    def wait(self) -> Self:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            try:
                if self.client.get("/health/live").status_code == 200:
                    return self
            except httpx2.TransportError:
                time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self.wait()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Listener(threading.Thread):
    """Reads an event stream to its end."""

    def __init__(self, server: Server, address: str, **headers: str) -> None:
        super().__init__(daemon=True)
        self.server, self.address, self.sent = server, address, headers
        self.events: list[tuple[str, Any, str]] = []
        self.headers: dict[str, str] = {}
        self.changed = threading.Condition()
        self.start()

    def run(self) -> None:
        with suppress(httpx2.TransportError), httpx2.Client(timeout=PATIENCE) as client:
            address = f"http://127.0.0.1:{self.server.port}{self.address}"
            with client.stream("GET", address, headers=self.sent) as answer:
                self.headers = dict(answer.headers)
                self._read(answer.iter_lines())

    def _read(self, lines: Iterable[str]) -> None:
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            fields[name] = value
            if not line and "event" in fields:
                self._take(fields)
                fields = {}

    def _take(self, fields: dict[str, str]) -> None:
        with self.changed:
            self.events.append((fields["event"], json.loads(fields["data"]), fields["id"]))
            self.changed.notify_all()

    def until(self, what: Callable[[list[tuple[str, Any, str]]], Any]) -> Any:
        with self.changed:
            assert self.changed.wait_for(lambda: what(self.events), PATIENCE), self.events
            return what(self.events)

    def named(self, name: str) -> list[Any]:
        return [data for event, data, _ in self.events if event == name]

    def xs(self) -> list[float]:
        return [x for told in self.named("curves") for series in told["series"] for x in series["x"]]
