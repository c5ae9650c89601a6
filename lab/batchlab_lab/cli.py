"""The `batchlab` command."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Annotated, Any, cast

import typer
from batchlab.errors import BatchlabError, SpecError
from batchlab_client import ClientError, NotReachedError
from pydantic import ValidationError
from pydantic_settings import SettingsError

from batchlab_lab import exits
from batchlab_lab.commands import analyses, compare, experiments, local, serve, studies, upkeep, verdicts
from batchlab_lab.errors import LabError

app = typer.Typer(
    name="batchlab",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(version("batchlab"))
        raise typer.Exit


@app.callback()
def batchlab(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A laboratory for how batch size, learning rate and momentum act on training."""


COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Run a lab": (serve.up, serve.demo, serve.api, serve.worker, serve.migrate, serve.token),
    "Ask a lab": (
        *(experiments.submit, experiments.study, experiments.watch, experiments.results, experiments.plot),
        *(verdicts.verdicts, verdicts.table, verdicts.power, compare.compare),
        *(analyses.analyse, analyses.analyses, analyses.checkpoints),
        *(experiments.cancel, experiments.pause, experiments.resume, experiments.retry),
    ),
    "Look after a lab": (upkeep.backup, upkeep.restore, upkeep.doctor),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command("list", rich_help_panel="Ask a lab")(experiments.experiments)
app.add_typer(studies.studies, name="studies", rich_help_panel="Ask a lab")
app.command(rich_help_panel="Without a lab")(local.run)
app.add_typer(local.data, name="data", rich_help_panel="Without a lab")

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What every wrong command line raises; typer keeps the name to itself."""
STATUSES = {
    NotReachedError: exits.NOT_REACHED,
    ClientError: exits.REFUSED,
    SpecError: exits.REFUSED,
    BatchlabError: exits.FAILED,
    LabError: exits.FAILED,
}
"""Errors that are told in a few words -> exit status."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit status (see `batchlab_lab.exits`)."""
    try:
        done = typer.main.get_command(app).main(arguments, prog_name="batchlab", standalone_mode=False)
        return done if isinstance(done, int) else exits.SUCCEEDED
    except UsageError as error:
        cast(Any, error).show()
        return exits.REFUSED
    except (typer.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a pager that was closed is no error
        return exits.SUCCEEDED
    except (ClientError, LabError, BatchlabError) as error:
        print(f"batchlab: {error}", file=sys.stderr)
        return next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    except (ValidationError, SettingsError) as error:
        return _wrong_settings(error)


def _wrong_settings(error: ValidationError | SettingsError) -> int:
    from batchlab_lab.environment import faults

    if isinstance(error, ValidationError) and error.title != "Settings":
        raise error
    print(f"batchlab: {faults(error)}", file=sys.stderr)
    return exits.FAILED


def main() -> None:
    """The console script."""
    sys.exit(run())
