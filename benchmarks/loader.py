"""Requests at a rate that the server does not set, and bursts of posts: the other side of `benchmarks.load`.

    python -m benchmarks.loader reads PORT PATH RATE SECONDS CORE
    python -m benchmarks.loader burst PORT CONNECTIONS CORE < requests.json

A process of its own, on a core of its own. Prints JSON: for `reads` the milliseconds of every request counted from the
moment at which it was due (a server that stalls is charged for all who wait), for `burst` the answers by key.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

CONNECTIONS = 32
WARM_SECONDS = 1.0
WRITES_A_SECOND = 10


class Connection:
    """One kept connection that speaks just enough HTTP/1.1."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> "Connection":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Status and body of one request."""
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += ["Content-Type: application/json"] if data else []
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        return int(head.split()[1]), await self.reader.readexactly(length)


async def reads(port: int, path: str, rate: float, seconds: float) -> dict[str, Any]:
    """An open loop: request i is due at i / rate, whatever became of those before it."""
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await Connection(port).open())
    took: list[float] = []
    wrong: list[int] = []
    began = time.perf_counter()

    async def one(due: float) -> None:
        connection = await idle.get()
        status, _ = await connection.ask("GET", path)
        idle.put_nowait(connection)
        if due >= WARM_SECONDS:
            took.append(1000 * (time.perf_counter() - began - due))
        if status != 200:
            wrong.append(status)

    writer = asyncio.create_task(_write(port, path))
    tasks = []
    for i in range(int(rate * (seconds + WARM_SECONDS))):
        due = i / rate
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    writer.cancel()
    return {"milliseconds": took, "seconds": time.perf_counter() - began - WARM_SECONDS, "wrong": len(wrong)}


async def _write(port: int, path: str) -> None:
    """Change the experiment ten times a second, as blocks that are recorded do: no answer stays right for long."""
    connection = await Connection(port).open()
    for n in range(10**9):
        await connection.ask("PATCH", path, {"note": f"note {n}"})
        await asyncio.sleep(1 / WRITES_A_SECOND)


async def burst(port: int, connections: int, requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Post all as fast as so many connections can; each request is {"key", "spec"}."""
    waiting = iter(requests)
    answers: dict[str, list[tuple[int, str | None]]] = {}

    async def work() -> None:
        connection = await Connection(port).open()
        for request in waiting:
            status, body = await connection.ask("POST", "/experiments", request["spec"], Idempotency_Key=request["key"])
            answers.setdefault(request["key"], []).append((status, json.loads(body).get("id")))

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return {"seconds": time.perf_counter() - began, "answers": answers}


def main() -> None:
    what, port, *rest = sys.argv[1:]
    os.sched_setaffinity(0, {int(rest.pop()) % (os.cpu_count() or 1)})
    if what == "reads":
        path, rate, seconds = rest
        found = asyncio.run(reads(int(port), path, float(rate), float(seconds)))
    else:
        found = asyncio.run(burst(int(port), int(rest[0]), json.load(sys.stdin)))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
