"""Starts worker processes quickly: a process that has loaded torch once and forks a real worker for each request.

Requests and answers are JSON lines: {"start": environment, "arguments": [..], "log": path} -> its process id;
{"ended": pid} -> its exit status (negative: by that signal), or null while it runs.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import sklearn.datasets  # noqa: F401
import torch._dynamo  # noqa: F401
from batchlab import engines
from batchlab.engines import reference  # noqa: F401
from batchlab_worker.__main__ import main


class Hanging:
    """An engine that never gives a block."""

    def __init__(self, name: str) -> None:
        self.name = name

    def train(self, *_: Any, **__: Any) -> Any:
        while True:
            signal.pause()


def start(environment: dict[str, str], arguments: list[str], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    with Path(log).open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.environ.clear()
    os.environ.update(environment)
    if "TEST_HANGS" in environment:
        engines.by_name = Hanging  # type: ignore[assignment]
    status = 70
    try:
        status = main(arguments)
    finally:
        sys.stderr.flush()
        os._exit(status)


def ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def answer(request: dict[str, Any]) -> int | None:
    if "start" in request:
        return start(request["start"], request["arguments"], request["log"])
    return ended(request["ended"])


def serve() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    serve()
