"""Commands about what is computed from trained cells, and what was kept for it."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from batchlab_client import Client, models

from batchlab_lab import exits, show, specs
from batchlab_lab.commands.options import DEFAULT_URL, Id, Json, Set, Url, Wait, connect

POLL_SECONDS = 1.0


def analyse(
    *,
    id: Id,
    kind: Annotated[str, typer.Argument(help="What to compute: a kind of the catalogue's analyses.")],
    set_: Set = [],  # noqa: B006 - typer copies it
    cell: Annotated[list[str], typer.Option(help="Only this cell; may be given again.")] = [],  # noqa: B006
    checkpoint: Annotated[str, typer.Option(help="A label (last, best_val_loss), or a number of updates.")] = "last",
    wait: Wait = False,
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Have the trained cells of an experiment analysed; --set gives parameters."""
    chosen = int(checkpoint) if checkpoint.isdecimal() else checkpoint
    with connect(url) as client:
        asked = client.analyse(id, kind, specs.overrides(set_), cells=cell or None, checkpoint=chosen)
        done = _awaited(client, id, asked) if wait else asked
        _list(done, json)
    if any(one.status == "failed" for one in done):
        raise typer.Exit(exits.FAILED)


def _awaited(client: Client, id: str, asked: Sequence[models.Analysis]) -> list[models.Analysis]:
    """The analyses once none of them waits or runs."""
    import time

    while True:
        found = [client.analysis(id, one.id) for one in asked]
        if all(one.status not in ("queued", "running") for one in found):
            return found
        time.sleep(POLL_SECONDS)


def analyses(id: Id, json: Json = False, url: Url = DEFAULT_URL) -> None:
    """List the analyses of an experiment with what they have found."""
    with connect(url) as client:
        _list(client.analyses(id), json)


def checkpoints(id: Id, json: Json = False, url: Url = DEFAULT_URL) -> None:
    """List the kept weights of an experiment and the room that they take."""
    with connect(url) as client:
        found = client.checkpoints(id)
    if json:
        show.as_json(found)
        return
    show.listing(found.items, ["cell", "step", "labels", "bytes", "sha256"], json)
    show.say(f"{found.bytes / 1e6:,.1f} MB")


def _list(found: Sequence[models.Analysis], json: bool) -> None:
    if json:
        show.listing(found, [], json)
        return
    for one in found:
        cells = ", ".join(f"cell {cell.cell}" for cell in one.cells)
        show.say(f"{one.id}  {one.kind} of {cells}: {one.status}{_rest(one)}")


def _rest(one: models.Analysis) -> str:
    if one.values is not None:
        return "".join(f"\n    {name}: {_text(value)}{_error(one, name)}" for name, value in one.values.items())
    if one.status == "running":
        return f", {one.fraction:.0%}"
    return f" ({one.cause}: {one.message})" if one.cause else ""


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _error(one: models.Analysis, name: str) -> str:
    error = ((one.meta or {}).get("standard_error") or {}).get(name)
    return "" if error is None else f" (standard error {error:.2g})"
