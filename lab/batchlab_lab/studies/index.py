"""The index of a folder of studies: one page with every picture in it, which needs nothing beside it."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path

from batchlab_lab import show
from batchlab_lab.studies.outcome import Outcome, load

PAGE = "index.html"
FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Studies, {size}</title>
<style>
body {{ font: 16px/1.5 "Liberation Sans", Arial, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
 color: #1a1c20; background: #fff; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
th, td {{ text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e4e6ea; vertical-align: top; }}
.num {{ text-align: right; font-variant-numeric: tabular-nums; }}
figure {{ margin: 1rem 0; }} img {{ max-width: 100%; }}
.faint {{ color: #55595f; }} .fault {{ color: #b3261e; }} section {{ margin-top: 3rem; }}
</style>
</head>
<body>
<h1>Studies, size {size}</h1>
<p class="faint">{summary}</p>
<table><thead><tr><th>study</th><th>source</th><th>ended</th><th class="num">cells</th><th class="num">updates</th>
<th class="num">time</th><th>claims</th></tr></thead><tbody>
{rows}
</tbody></table>
{sections}
</body>
</html>
"""


def write(folder: Path, size: str) -> None:
    """Write the page from the outcomes of this size that the folder holds."""
    found = [load(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    outcomes = [outcome for outcome in found if outcome and outcome.size == size]
    page = FRAME.format(
        size=escape(size),
        summary=_summary(outcomes),
        rows="\n".join(map(_row, outcomes)),
        sections="\n".join(_section(folder / outcome.study.name, outcome) for outcome in outcomes),
    )
    (folder / PAGE).write_text(page)


def _summary(outcomes: Sequence[Outcome]) -> str:
    well = sum(not outcome.exit for outcome in outcomes)
    updates = sum(outcome.updates for outcome in outcomes)
    return f"{well} of {len(outcomes)} studies ended well; {updates:,} updates in all."


def _row(outcome: Outcome) -> str:
    cells = sum(outcome.cells.model_dump().values())
    name = escape(outcome.study.name)
    return (
        f'<tr><td><a href="#{name}">{name}</a></td><td>{escape(outcome.study.source)}</td><td>{outcome.status}</td>'
        f'<td class="num">{cells}</td><td class="num">{outcome.updates:,}</td>'
        f'<td class="num">{show.duration(outcome.seconds)}</td><td>{outcome.verdicts}</td></tr>'
    )


def _section(folder: Path, outcome: Outcome) -> str:
    study = outcome.study
    faults = "".join(f'<p class="fault">{escape(fault)}</p>' for fault in outcome.faults)
    pictures = "\n".join(_figure(folder / f"{name}.svg", name) for name in outcome.plots)
    return (
        f'<section id="{escape(study.name)}">\n<h2>{escape(study.title)}</h2>\n'
        f'<p class="faint">{escape(study.source)} · {escape(study.name)}</p>\n<p>{escape(study.question)}</p>\n'
        f"{faults}\n{pictures}\n{_claims(outcome)}</section>"
    )


def _claims(outcome: Outcome) -> str:
    """A table of the claims: what each says, how it came out, and why."""
    rows = "\n".join(
        f"<tr><td>{escape(claim.text)}</td><td>{claim.verdict}</td><td>{escape(claim.reason)}</td></tr>"
        for claim in outcome.claims
    )
    head = "<thead><tr><th>claim</th><th>verdict</th><th>why</th></tr></thead>"
    return f"<table>{head}<tbody>\n{rows}\n</tbody></table>\n" if rows else ""


def _figure(file: Path, name: str) -> str:
    data = b64encode(file.read_bytes()).decode()
    return f'<figure><img alt="{escape(name)}" src="data:image/svg+xml;base64,{data}"></figure>'
