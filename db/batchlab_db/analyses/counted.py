"""Which analyses claims are judged by: those that the spec asks for, so that nobody's later ones change a verdict.

Of a kind that the spec does not ask for, it is the analysis with its default parameters. Either way it is of the last
weights, and, where it takes several cells, of those that the spec would have it take.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from batchlab.analyses.groups import groups
from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping, text

from batchlab_db.analyses.asking import ANALYSES, parse
from batchlab_db.reads import storable

Values = dict[str, Any]

_SPEC = text("SELECT spec -> 'analyses' FROM experiments WHERE id = :experiment")
_FOUND = text(
    """
    SELECT kind, document, subjects, found FROM analyses
    WHERE experiment_id = :experiment AND status = 'succeeded' ORDER BY created_at, id
    """
)
_CELLS = text(
    """
    SELECT id, steps_done, point FROM cells
    WHERE experiment_id = :experiment AND status = 'succeeded' ORDER BY ordinal
    """
)


def by_cell(connection: Connection, experiment_id: str) -> dict[int, dict[str, Values]]:
    """Cell -> kind -> values. Those of several cells count for the first of them.

    Where several analyses of a kind give the same value, the one that comes first in the spec does.
    """
    asked = {"experiment": storable(experiment_id)}
    rows = connection.execute(_FOUND, asked).mappings().all()
    if not rows:
        return {}
    cells = connection.execute(_CELLS, asked).mappings().all()
    spec = [_parsed(document) for document in connection.scalar(_SPEC, asked) or ()]
    found: dict[int, dict[str, Values]] = {}
    for analysis in _counting(spec, [row["kind"] for row in rows]):
        for row in _results(analysis, rows, cells):
            cell = found.setdefault(row["subjects"][0]["cell"], {})
            cell[row["kind"]] = {**row["found"], **cell.get(row["kind"], {})}
    return found


def _parsed(document: Mapping[str, Any]) -> Any:
    """None: its kind has gone from this lab, or (of a kind alone) has no defaults."""
    try:
        return ANALYSES.validate_json(json.dumps(document))
    except ValidationError:
        return None


def _counting(spec: Sequence[Any], kinds: Sequence[str]) -> Iterator[Any]:
    """Those of the spec, then the default of every other kind."""
    asked = [analysis for analysis in spec if analysis is not None]
    yield from asked
    others = dict.fromkeys(kind for kind in kinds if kind not in {analysis.tag() for analysis in asked})
    yield from filter(None, (_parsed({"kind": kind}) for kind in others))


def _results(analysis: Any, rows: Sequence[RowMapping], cells: Sequence[RowMapping]) -> Iterator[RowMapping]:
    """What was found by this analysis where it counts."""
    own = [row for row in rows if row["kind"] == analysis.tag() and _parsed(row["document"]) == analysis]
    ends = {cell["id"]: cell["steps_done"] for cell in cells}
    together = _together(analysis, cells) if own else ()
    for row in own:
        last = analysis.needs != "weights" or all([ends.get(one["cell"])] == one["steps"] for one in row["subjects"])
        if last and tuple(one["cell"] for one in row["subjects"]) in together:
            yield row


def _together(analysis: Any, cells: Sequence[RowMapping]) -> Collection[tuple[int, ...]]:
    """The cells that it looks at together where nobody names them."""
    if analysis.inputs == "one":
        return {(cell["id"],) for cell in cells}
    places = groups(analysis.inputs, [parse(cell["point"]) for cell in cells])
    return {tuple(cells[place]["id"] for place in group) for group in places}
