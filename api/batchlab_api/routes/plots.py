"""Plots of an experiment, rendered."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

from batchlab.studies import STUDIES
from batchlab_client import models
from batchlab_db import reads
from batchlab_db.errors import NotFound
from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from batchlab_api import links
from batchlab_api.draw import draw_apart
from batchlab_api.lab import Lab, LabDep
from batchlab_api.middleware import matches
from batchlab_api.params import ExperimentId
from batchlab_api.plots import FORMATS, MEDIA_TYPES, PLOTS, Format, Options, Plot, available, render
from batchlab_api.plots.source import Row
from batchlab_api.sources import StoredSource

router = APIRouter(prefix="/experiments/{id}/plots", tags=["plots"])

Name = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9-]+$")]
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
"""A plot's page brings its scripts with it. In its sandbox it has nobody's cookies and reaches nothing."""
VERSION = version("batchlab")
"""Another version may draw another picture of the same numbers."""
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}},
    304: {"description": "What the client has is what there is."},
}


@router.get("")
def list_plots(lab: LabDep, id: ExperimentId) -> models.PlotList:
    """The plots that this experiment can have, those of its study first."""
    row = _row(lab, id)
    return models.PlotList(items=[_info(id, plot) for plot in _ordered(row)])


@router.get("/{name}.{format}", response_class=Response, responses=PICTURES)
def get_plot(
    *,
    lab: LabDep,
    id: ExperimentId,
    name: Name,
    format: Format,
    options: Annotated[Options, Query()],
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """A plot as svg, png, pdf, html or Vega-Lite (json)."""
    row = _row(lab, id)
    plot = _find(row, name)
    key = _key(row, name, format, options)
    headers = {"ETag": f'"{key}"', "Cache-Control": "private, no-cache"}
    if format == "html":
        headers["Content-Security-Policy"] = PAGE_POLICY
    if matches([if_none_match], headers["ETag"]):
        return Response(status_code=304, headers=headers)
    made = lab.renderer.get(key, lambda: _render(lab, row, plot, format, options))
    return Response(made, headers=headers, media_type=MEDIA_TYPES[format])


def _row(lab: Lab, id: str) -> Row:
    return dict(lab.read(reads.experiment, id, lab.settings.alive_seconds))


def _render(lab: Lab, row: Row, plot: Plot[Any], format: Format, options: Options) -> bytes:
    with lab.engine.connect() as connection:
        numbers = plot.numbers(StoredSource(connection, row))
    # Rendering takes a while: the connection is given back before it.
    made, _ = render(plot.chart(numbers, options), format, options, draw_apart)
    return made


def _key(row: Row, name: str, format: str, options: Options) -> str:
    """Names all that a picture depends on: the experiment as far as it is, the plot and how it is to look."""
    parts = (VERSION, row["id"], row["version"], row["updates_done"], name, format, options.model_dump_json())
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def _find(row: Row, name: str) -> Plot[Any]:
    plot = PLOTS.get(name)
    if plot is None or not plot.applies(row):
        raise NotFound(f"this experiment has no plot {name}: GET /experiments/{row['id']}/plots lists them")
    return plot


def _ordered(row: Row) -> Sequence[Plot[Any]]:
    study = STUDIES.get(row["study"] or "")
    first = study.plots if study else ()
    return sorted(available(row), key=lambda plot: first.index(plot.name) if plot.name in first else len(first))


def _info(id: str, plot: Plot[Any]) -> models.PlotInfo:
    base = f"{links.experiment(id)['plots']}/{plot.name}"
    return models.PlotInfo(name=plot.name, title=plot.title, links={format: f"{base}.{format}" for format in FORMATS})
