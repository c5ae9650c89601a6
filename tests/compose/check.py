"""The deployment for real: build, up, post, scale, kill, restart, compare, back up, restore, down.

Runs with docker-compose 1.29 or `docker compose`. Where a script that builds stand-ins for the public base images lies
beside the checkout (../shared/docker/stand-in-images), it is used; else the images are pulled. Without any Docker
engine it says so and leaves with 0: a machine without one cannot tell. A failing stack fails.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from batchlab_client import Client, ClientError, TokenNeededError

ROOT = Path(__file__).parents[2]
STAND_INS = ROOT.parent / "shared" / "docker" / "stand-in-images"
PROJECT, PORT = "batchlab-check", "18000"
SPEC = {
    "name": "compose-check",
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [1, 4, 16, 64],
    "lr": {"rule": "fixed", "base": 0.5},
    "momentum": [0.0, 0.9],
    "budget": {"epochs": 100},
    "seeds": 1,
    "evaluate": {"every_steps": 400},
    "engine": "reference",
}


class Stack:
    """docker-compose on this checkout, under a project name of its own."""

    def __init__(self) -> None:
        self.command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "BATCHLAB_PORT": PORT,
            "DOCKER_BUILDKIT": "0",
        }

    def __call__(self, *words: str, quiet: bool = False) -> str:
        """Run one compose command and return what it printed; a failure ends the check with its output."""
        done = subprocess.run(
            [*self.command, *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode and not quiet:
            raise SystemExit(f"compose {' '.join(words)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def containers(self, service: str) -> list[str]:
        return self("ps", "-q", service).split()

    def kill(self, container: str) -> None:
        """SIGKILL to the container's first process, as a crash would: the restart policy then applies."""
        found = subprocess.run(
            ["docker", "inspect", "-f", "{{.State.Pid}}", container], capture_output=True, text=True, check=True
        )
        os.kill(int(found.stdout), signal.SIGKILL)


def say(text: str) -> None:
    print(f"compose-check: {text}", flush=True)


def engine() -> bool:
    """Whether a Docker engine answers; the stand-in script starts one where it can."""
    if STAND_INS.exists():
        subprocess.run([str(STAND_INS), str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def until(what: str, ready: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for `ready`, asking twice a second; fail with `what` and the last error after `seconds`."""
    end, reason = time.monotonic() + seconds, "never true"
    while time.monotonic() < end:
        try:
            if ready():
                return
        except (OSError, ClientError) as error:
            reason = str(error)
        time.sleep(0.5)
    raise SystemExit(f"compose-check: {what}: not within {seconds:.0f} s ({reason})")


def expect(what: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"compose-check: {what}: no")
    say(what)


def reached(client: Client, id: str, share: float) -> Callable[[], bool]:
    """Whether an experiment has done this share of its updates."""

    def ready() -> bool:
        progress = client.get(id).progress
        return progress.updates_done >= share * progress.updates_total

    return ready


def finish(client: Client, id: str) -> str:
    """Wait for the experiment's end and return its digest."""
    until(f"experiment {id} ends", lambda: client.get(id).finished_at is not None, 600)
    expect(f"experiment {id} succeeded", client.get(id).status == "succeeded")
    return client.digest(id).digest


def check_walls(stack: Stack) -> None:
    """Ordinary users, a file system that cannot be written, one published port, and nothing without the token."""
    for service in ("api", "worker"):
        expect(f"{service} is an ordinary user", stack("exec", "-T", service, "id", "-u").strip() != "0")
        touched = stack("exec", "-T", service, "sh", "-c", "touch /opt/x 2>/dev/null && echo yes || echo no")
        expect(f"{service} cannot write its image", touched.strip() == "no")
    for service in ("postgres", "redis", "worker"):
        ports = subprocess.run(
            ["docker", "port", stack.containers(service)[0]], capture_output=True, text=True, check=True
        )
        expect(f"{service} publishes no port", ports.stdout.strip() == "")
    try:
        Client(f"http://127.0.0.1:{PORT}", token=None).list()
    except TokenNeededError:
        say("nothing is shown without the token")
    else:
        raise SystemExit("compose-check: the list was shown without a token")


def check_storm(stack: Stack, client: Client, calm: str) -> None:
    """The same experiment with a worker killed and both servers restarted in mid-run ends with the same digest."""
    stack("up", "-d", "--no-recreate", "--scale", "worker=2")
    until("two workers", lambda: sum(w.alive for w in client.workers()) >= 2)
    id = client.submit(SPEC).id
    until("a tenth", reached(client, id, 0.1))
    stack.kill(stack.containers("worker")[0])
    say("killed a worker")
    until("three tenths", reached(client, id, 0.3))
    stack("restart", "redis")
    say("restarted redis")
    until("half", reached(client, id, 0.5))
    stack("restart", "postgres")
    say("restarted postgres")
    expect("the digest is that of the undisturbed run", finish(client, id) == calm)


def check_stop_and_start(stack: Stack, client: Client, calm: str) -> None:
    """Stopping and starting the whole lab in mid-run loses nothing."""
    id = client.submit(SPEC).id
    until("a quarter", reached(client, id, 0.25))
    stack("stop")
    stack("start")
    until("the lab is back", lambda: client.health().status == "ok")
    expect("stopped and started, the digest is the same", finish(client, id) == calm)


def check_backup(stack: Stack, client: Client, id: str, calm: str) -> None:
    """What was backed up and then deleted is there again after a restore."""
    path = "/var/lib/batchlab/backups/check.dump"
    stack("exec", "-T", "api", "batchlab", "backup", path)
    client.delete(id)
    stack("exec", "-T", "api", "batchlab", "restore", path, "--yes")
    until("the lab is back after the restore", lambda: client.health().status == "ok")
    expect("restored, the digest is the same", client.digest(id).digest == calm)


def check(stack: Stack) -> None:
    stack("build")
    say("images built")
    stack("up", "-d")
    token = ""

    def started() -> bool:
        nonlocal token
        token = stack("exec", "-T", "api", "batchlab", "token", quiet=True).strip()
        return bool(token) and Client(f"http://127.0.0.1:{PORT}", token=token).health().status == "ok"

    until("the lab is up", started)
    client = Client(f"http://127.0.0.1:{PORT}", token=token)
    check_walls(stack)
    first = client.submit(SPEC).id
    calm = finish(client, first)
    check_storm(stack, client, calm)
    check_stop_and_start(stack, client, calm)
    check_backup(stack, client, first, calm)


def main() -> int:
    if not engine():
        say("no Docker engine can be had on this machine: nothing was checked")
        return 0
    stack = Stack()
    stack("down", "--volumes", "--remove-orphans")
    try:
        check(stack)
    except BaseException:
        print(stack("logs", "--no-color", "--tail", "60", quiet=True)[-20_000:], file=sys.stderr)
        raise
    finally:
        stack("down", "--volumes", "--remove-orphans")
    say("passed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
