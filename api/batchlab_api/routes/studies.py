"""The studies: presets that can be looked at and started."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, get_args

from batchlab.studies import STUDIES, Size, Study
from batchlab.studies.topics import topic_of
from batchlab_client import models
from batchlab_db.errors import NotFound
from fastapi import APIRouter, BackgroundTasks, Path, Query
from starlette.responses import Response

from batchlab_api import submission
from batchlab_api.bodies import JsonBody
from batchlab_api.dashboard import FOLDER, REVALIDATE
from batchlab_api.lab import LabDep
from batchlab_api.openapi import FREE_BODY
from batchlab_api.params import IdempotencyKey
from batchlab_api.problems import ProblemError
from batchlab_api.routes.submit import ANSWERS, DryRun

router = APIRouter(prefix="/studies", tags=["studies"])

SIZES: tuple[Size, ...] = get_args(Size)
PICTURES = FOLDER / "studies"
"""Drawn by `python -m benchmarks.gallery`."""
Theme = Literal["light", "dark"]
Name = Annotated[str, Path(max_length=64)]
SizeQuery = Annotated[Size | None, Query(description="smoke (seconds), small (minutes) or full (as the source).")]


@router.get("")
def list_studies() -> models.StudyList:
    """Every study."""
    return models.StudyList(items=[_study(study) for study in STUDIES.values()])


@router.get("/{name}")
def get_study(name: Name) -> models.Study:
    """One study: its question, spec, plots and claims."""
    return _study(_find(name))


@router.get("/{name}/picture.svg", response_class=Response, responses={200: {"content": {"image/svg+xml": {}}}})
def get_picture(name: Name, theme: Theme = "light") -> Response:
    """What its first plot looks like, small: drawn from measured data, on a transparent ground."""
    file = _picture(_find(name).name, theme)
    if not file.exists():
        raise NotFound(f"the study {name} has no picture yet")
    return Response(file.read_bytes(), headers=REVALIDATE, media_type="image/svg+xml")


@router.post("/{name}/experiments", status_code=202, responses=ANSWERS, openapi_extra=FREE_BODY)
def start_study(
    *,
    lab: LabDep,
    name: Name,
    overrides: JsonBody,
    background: BackgroundTasks,
    size: SizeQuery = None,
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store the experiment of a study. The body is merged (RFC 7396) over its spec; `size` may stand in it too."""
    chosen, own = _split(overrides, size)
    document = _find(name).spec(chosen, own)
    if dry_run:
        return submission.dry_run(lab, document)
    return submission.submit(lab, document, idempotency_key, background)


def _split(body: Any, size: Size | None) -> tuple[Size, Mapping[str, Any]]:
    """The size (of the query, else of the body) and the overrides."""
    if not isinstance(body, dict):
        raise ProblemError("bad-body", 'the overrides are an object such as {} or {"seeds": 3}')
    named = size or body.get("size", "full")
    if named not in SIZES:
        raise ProblemError("bad-body", f"size: give one of {', '.join(SIZES)}")
    return named, {key: value for key, value in body.items() if key != "size"}


def _picture(name: str, theme: str) -> FilePath:
    return PICTURES / f"{name}.{theme}.svg"


def _find(name: str) -> Study:
    if name not in STUDIES:
        raise NotFound(f"there is no study {name}: GET /studies lists them")
    return STUDIES[name]


def _study(study: Study) -> models.Study:
    base = f"/studies/{study.name}"
    picture = {"picture": f"{base}/picture.svg"} if _picture(study.name, "light").exists() else {}
    return models.Study(
        name=study.name,
        title=study.title,
        source=study.source,
        question=study.question,
        doc=study.doc,
        spec=study.spec(),
        sizes=list(SIZES),
        plots=list(study.plots),
        topic=topic_of(study.name),
        claims=[models.Claim(id=claim.id, text=claim.text, source=claim.source) for claim in study.claims],
        links={"self": base, "start": f"{base}/experiments", **picture},
    )
