"""Commands that look after a lab and its data."""

from pathlib import Path
from typing import Annotated

import typer

from batchlab_lab import exits, show
from batchlab_lab.commands.options import Json


def backup(file: Annotated[Path, typer.Argument(help="Where to write it.")]) -> None:
    """Write all that the database holds to one file, consistent while experiments run."""
    from batchlab_db.settings import settings

    from batchlab_lab import backup as backups

    with backups.database(settings()) as found:
        backups.save(found, file)
    show.say(f"{file}: {file.stat().st_size / 1e6:,.1f} MB")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `batchlab backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace all that the database holds by a backup."""
    from batchlab_db.settings import settings

    from batchlab_lab import backup as backups

    if not yes:
        typer.confirm("This replaces every experiment of the lab by those of the backup. Go on?", abort=True)
    with backups.database(settings()) as found:
        experiments, cells = backups.restore(found, file)
    show.say(f"restored {experiments:,} experiments with {cells:,} cells")


def doctor(
    json: Json = False,
    measure: Annotated[bool, typer.Option("--measure", help="Measure this machine's speed anew first.")] = False,
) -> None:
    """Look at the machine, its speed, the versions, the servers, the disk, the data sets and the port, and say what to
    mend."""
    from batchlab_lab.doctor import examine, measure_speed

    if measure:
        measure_speed()
    checks = list(examine())
    if json:
        show.as_json(checks)
    for check in [] if json else checks:
        show.say(f"{check.state:5} {check.name:9} {check.detail}")
        if check.remedy:
            show.say(f"{'':15} -> {check.remedy}")
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(exits.FAILED)
