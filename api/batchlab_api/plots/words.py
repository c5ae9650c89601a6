"""The words of a plot: what was trained, on what, with how many seeds, and which cells the plot does not show."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from batchlab_api.plots.source import Row, Source

LONGEST_NAME = 80
WITHOUT_EXPONENT = 10_000
NAMED_POINTS = 3
BETWEEN = "\u00a0· "
"""Between the parts of a line: a dot that a line may end with, but not begin."""
BUDGETS = {"epochs": "epoch", "steps": "update", "examples": "example"}
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
OPTIMIZERS = {
    "sgd": "SGD", "adagrad": "Adagrad", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW", "lars": "LARS",
    "lamb": "LAMB", "rmsprop_warmup": "RMSprop warm-up", "sam": "SAM", "asam": "ASAM",
}  # fmt: skip


def number(value: float | None, digits: int = 4) -> str:
    """A number at reading length: a few significant digits, no trailing zeros, an exponent from 10 000 on; "none" for
    None.
    """
    if value is None:
        return "none"
    short = f"{value:.{digits}g}"
    plain = f"{float(short):g}" if abs(value) < WITHOUT_EXPONENT and "e+" in short else short
    return plain.replace("e-0", "e-").replace("e+0", "e")


def amount(value: float) -> str:
    """A number in running text: whole and in groups of three from 1000 on, else three digits."""
    return f"{round(value):,}".replace(",", " ") if abs(value) >= 1000 else number(value, 3)


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    return next(
        f"{number(seconds / size, 3)} {name}" for size, name in UNITS if seconds >= size or size == UNITS[-1][0]
    )


def several(count: int, noun: str) -> str:
    """ "1 seed", "5 seeds", "4 632 500 updates"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}".replace(",", " ")


def joined(*parts: str) -> str:
    """The parts that say something, with commas."""
    return ", ".join(filter(None, parts))


def setting(source: Source) -> str:
    """One line: the experiment's name, model, data, optimizer, rates and budget."""
    spec, cells = source.experiment["spec"], source.cells
    name = str(source.experiment["name"])
    shown = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    optimizer = " / ".join(OPTIMIZERS.get(kind, kind) for kind in _kinds(spec, "optimizer"))
    parts = [
        f"{' / '.join(_kinds(spec, 'model'))} on {' / '.join(_kinds(spec, 'dataset'))}",
        joined(optimizer, _rates(cells), _momenta(cells)),
        *(several(count, BUDGETS[unit]) for unit, count in _budget(spec)),
    ]
    return f"{shown}: {BETWEEN.join(filter(None, parts))}"


def missing(cells: Sequence[Row]) -> list[str]:
    """A note for each reason why cells are not among the means: diverged, failed, cancelled, not finished."""
    found = [_note(cells, status) for status in ("diverged", "failed", "cancelled")]
    waiting = sum(c["status"] in ("queued", "running") for c in cells)
    if waiting:
        found.append(f"{waiting} of {several(len(cells), 'cell')} not finished yet")
    return [note for note in found if note]


def dropped(count: int, noun: str) -> str:
    """What a log axis could not show; "" where there is none."""
    return f"{several(count, noun)} at or below zero not shown on the log axis" if count else ""


def seeds(counts: Iterable[int], interval: str = "95 % t interval") -> str:
    """How many seeds the means are over, and what is drawn about them."""
    found = sorted({n for n in counts if n})
    if not found:
        return ""
    n = several(found[0], "seed") if len(found) == 1 else f"{found[0]} to {found[-1]} seeds"
    if found[-1] == 1:
        return f"{n}: no interval"
    if found[-1] == 2:
        return f"{n}: mean, and each seed as a small dot (too few for an interval)"
    return f"{n}: mean and {interval}"


def wrap(lines: Iterable[str], columns: int) -> list[str]:
    """Break lines at spaces to `columns` half-width characters; a Chinese character takes two columns."""
    wrapped: list[str] = []
    for line in lines:
        wrapped.append("")
        for word in _words(line, columns):
            if wrapped[-1] and columns < width(f"{wrapped[-1]} {word}"):
                wrapped.append("")
            wrapped[-1] = f"{wrapped[-1]} {word}".strip()
    return wrapped


def width(text: str) -> int:
    """How many half-width characters a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _words(line: str, columns: int) -> list[str]:
    """The words of a line, those that are longer than a line cut into lines."""
    pieces: list[str] = []
    for word in filter(None, line.split(" ")):
        pieces.append("")
        for character in word:
            if width(pieces[-1] + character) > columns:
                pieces.append("")
            pieces[-1] += character
    return pieces


def _kinds(spec: Row, part: str) -> list[str]:
    """The kinds of this part of the spec over its variants, each once; data of a user's by their name."""
    arms: Sequence[Mapping[str, Any]] = spec.get("variants") or [{}]
    base = spec.get(part) or {}
    merged = [{**base, **(arm.get(part) or {})} for arm in arms]
    return list(dict.fromkeys(str(one.get("name" if one.get("kind") == "user" else "kind", "")) for one in merged))


def _budget(spec: Row) -> list[tuple[str, int]]:
    if any("budget" in arm for arm in spec.get("variants") or ()):
        return []
    return [(unit, count) for unit, count in spec["budget"].items() if count is not None]


def _rates(cells: Sequence[Row]) -> str:
    """The learning rate where all cells share it; else its range."""
    rates = sorted({c["lr"] for c in cells})
    if not rates:
        return ""
    return f"lr {number(rates[0])}" + (f" to {number(rates[-1])}" if len(rates) > 1 else "")


def _momenta(cells: Sequence[Row]) -> str:
    momenta = sorted({c["momentum"] for c in cells if c["momentum"] is not None})
    return f"momentum {', '.join(map(number, momenta))}" if any(momenta) else ""


def _note(cells: Sequence[Row], status: str) -> str:
    """ "2 of 80 cells diverged: batch 1, lr 4 (seeds 0, 3)"."""
    points: dict[str, list[int]] = {}
    for cell in (c for c in cells if c["status"] == status):
        points.setdefault(_name(cell), []).append(cell["seed"])
    named = [f"{name} (seed{'s'[: len(s) > 1]} {', '.join(map(str, s))})" for name, s in points.items()]
    more = f" and {several(len(named) - NAMED_POINTS, 'more point')}" if len(named) > NAMED_POINTS else ""
    count = sum(map(len, points.values()))
    total = several(len(cells), "cell")
    return f"{count} of {total} {status}: {'; '.join(named[:NAMED_POINTS])}{more}" if count else ""


def _name(cell: Row) -> str:
    momentum = f", momentum {number(cell['momentum'])}" if cell["momentum"] else ""
    variant = f"{cell['variant']}, " if cell["variant"] else ""
    return f"{variant}batch {cell['batch_size']}, lr {number(cell['lr'])}{momentum}"
