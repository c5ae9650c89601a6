"""Commands that run the lab or a part of it."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from batchlab_lab import show
from batchlab_lab.commands.options import DataDir, Workers, quiet
from batchlab_lab.errors import LabError

Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Where plots are saved (default: DATA-DIR/figures).")
]
Host = Annotated[str, typer.Option(help="The address to listen on; one that others can reach needs a token.")]


def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: any free port.")] = 8000,
    host: Annotated[
        str, typer.Option(help="The address to listen on; one that others reach needs a token.")
    ] = "127.0.0.1",
    data_dir: DataDir = None,
    workers: Workers = None,
) -> None:
    """Serve a lab on this machine until Ctrl-C: database, broker, api and workers."""
    from batchlab_api.__main__ import refusal
    from batchlab_db.settings import settings

    from batchlab_lab.addresses import is_unspecified
    from batchlab_lab.embedded import Embedded, until_signalled
    from batchlab_lab.home import Home

    if problem := refusal(settings(), host):
        raise LabError(problem)
    home = Home(data_dir or settings().home)
    quiet()
    try:
        with until_signalled(), Embedded(home, host=host, port=port, workers=workers) as lab:
            show.say(f"The lab is at {lab.url} (data in {home.folder}). Ctrl-C stops it.")
            if is_unspecified(host):
                show.say(f"Others reach port {lab.port} by the names in BATCHLAB_ALLOWED_HOSTS.")
            while True:
                time.sleep(0.5)
                lab.tend()
    except KeyboardInterrupt:
        show.say("The lab has stopped; what it did is kept.")


def demo(
    data_dir: DataDir = None,
    workers: Workers = None,
    output: Output = None,
    size: Annotated[Literal["smoke", "small", "full"], typer.Option(help="How much of the study.")] = "full",
) -> None:
    """Run the textbook's experiment on a lab of this machine and show its result."""
    from batchlab_db.settings import settings

    from batchlab_lab.demo import run
    from batchlab_lab.home import Home

    quiet()
    token = settings().token
    home = Home(data_dir or settings().home)
    secret = token.get_secret_value() if token else None
    raise typer.Exit(run(home, workers=workers, output=output, size=size, token=secret))


def api(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Serve the api and the dashboard, on the database and the broker of the settings."""
    from batchlab_api.__main__ import main
    from batchlab_db.settings import settings

    from batchlab_lab.environment import need_servers

    need_servers(settings())
    raise typer.Exit(main(["--host", host, "--port", str(port)]))


def worker(
    processes: Workers = None,
    queues: Annotated[str, typer.Option(help="What to serve: cpu, gpu or both.")] = "cpu,gpu",
    health: Annotated[
        bool, typer.Option("--health", help="Only say whether this machine's workers are alive.")
    ] = False,
) -> None:
    """Run this machine's workers, on the database and the broker of the settings."""
    if health:
        raise typer.Exit(_health())
    from batchlab_db import logs
    from batchlab_db.settings import settings
    from batchlab_worker.fleet import programs
    from batchlab_worker.supervisor import Supervisor

    from batchlab_lab.environment import need_servers

    served = _queues(queues)
    need_servers(settings())
    logs.configure()
    supervisor = Supervisor(programs(processes, queues=served), grace=40.0)
    raise typer.Exit(supervisor.run_until_signalled())


def _queues(text: str) -> list[str]:
    from batchlab_db.demand import QUEUES

    found = [name.strip() for name in text.split(",")]
    if wrong := [name for name in found if name not in QUEUES]:
        raise typer.BadParameter(f"--queues: there is no queue {wrong[0]!r}, only {' and '.join(QUEUES)}")
    return found


def _health() -> int:
    from batchlab_lab.upkeep import living_workers

    found = living_workers()
    print(f"{found} living worker processes on this machine")
    return 0 if found else 1


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Only compare the migrations with the tables.")] = False,
) -> None:
    """Bring the database to the newest schema."""
    from batchlab_lab import upkeep

    upkeep.check_migrations() if check else upkeep.migrate()


def token() -> None:
    """Print the token that the settings hold."""
    from batchlab_db.settings import settings

    found = settings().token
    if found is None or not found.get_secret_value():
        print("no token is set: the lab answers on the loopback address alone", file=sys.stderr)
        raise typer.Exit(1)
    print(found.get_secret_value())
