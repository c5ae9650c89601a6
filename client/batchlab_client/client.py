"""The lab from a script: every endpoint as a method, every answer as a model."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from uuid import uuid4

from batchlab_client import models, watching
from batchlab_client.errors import RefusedError
from batchlab_client.events import Event
from batchlab_client.transport import Transport

M = TypeVar("M", bound=models.Model)
P = TypeVar("P", models.ExperimentPage, models.CellPage)
Json = Mapping[str, Any]
PlotFormat = Literal["svg", "png", "pdf", "html", "json"]
DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """A lab, addressed by `url` (default: BATCHLAB_URL, else http://127.0.0.1:8000).

    Use it as a context manager, or call `close`. Every method raises RefusedError with the server's problem, or
    NotReachedError once the server has been away for `patience` seconds.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout: float = 30.0, patience: float = 5.0
    ) -> None:
        self.url = (url or os.environ.get("BATCHLAB_URL") or DEFAULT_URL).rstrip("/")
        token = token or os.environ.get("BATCHLAB_TOKEN")
        self.transport = Transport(self.url, token, timeout=timeout, patience=patience)

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, spec: Json, *, key: str | None = None) -> models.Submitted:
        """Post an experiment. It carries `key` (default: a random one), so that repeating it makes no second one."""
        return self._send("POST", "/experiments", models.Submitted, json=dict(spec), headers=_keyed(key))

    def plan(self, spec: Json) -> models.PlanReport:
        """What the spec would cost; nothing is stored."""
        return self._send("POST", "/experiments", models.PlanReport, json=dict(spec), params={"dry_run": "true"})

    def get(self, id: str) -> models.Experiment:
        """The experiment with its status and progress."""
        return self._send("GET", f"/experiments/{id}", models.Experiment)

    def wait(
        self,
        id: str,
        *,
        timeout: float | None = None,
        on_change: Callable[[models.Experiment], None] | None = None,
    ) -> models.Experiment:
        """The experiment once it is finished; raises WaitTimeoutError after `timeout` seconds. See `watch`."""
        return watching.wait(self, id, timeout, on_change or _nothing)

    def watch(self, id: str, *, timeout: float | None = None) -> Iterator[models.Experiment]:
        """The experiment now and at each change, the finished one last. Outlasts two minutes without a server."""
        return watching.watch(self, id, timeout)

    def events(self, id: str, *, metrics: Sequence[str] = (), last_event_id: str = "") -> Iterator[Event]:
        """The experiment's events as they happen, taken up again where a connection breaks, until a `bye`: finished."""
        return watching.events(self.transport, id, metrics, last_event_id)

    def list(
        self,
        *,
        status: models.Status | None = None,
        tag: str | None = None,
        q: str | None = None,
        limit: int | None = None,
    ) -> Sequence[models.ExperimentSummary]:
        """Experiments, newest first: at most `limit`, with this status and tag, and `q` in their name."""
        found: list[models.ExperimentSummary] = []
        for page in self._pages("/experiments", models.ExperimentPage, status=status, tag=tag, q=q, limit=limit):
            found += page.items
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def patch(
        self, id: str, *, name: str | None = None, tags: Sequence[str] | None = None, note: str | None = None
    ) -> models.Experiment:
        """Change the name, the tags or the note."""
        changes = _given(name=name, tags=tags, note=note)
        return self._send("PATCH", f"/experiments/{id}", models.Experiment, json=changes)

    def cancel(self, id: str) -> models.Experiment:
        """Stop it for good; what is stored stays."""
        return self._act(id, "cancel")

    def pause(self, id: str) -> models.Experiment:
        """Let it rest after the present block."""
        return self._act(id, "pause")

    def resume(self, id: str) -> models.Experiment:
        """Let a paused experiment go on."""
        return self._act(id, "resume")

    def retry(self, id: str) -> models.Experiment:
        """Run again what failed, was lost or is missing."""
        return self._act(id, "retry")

    def add_seeds(self, id: str, n: int) -> models.Experiment:
        """Add `n` seeds to every point of the sweep."""
        return self._send("POST", f"/experiments/{id}/seeds", models.Experiment, json={"add": n}, repeat=False)

    def delete(self, id: str) -> None:
        """Delete the experiment and all it measured."""
        self.transport.request("DELETE", f"/experiments/{id}")

    def cells(self, id: str) -> Sequence[models.Cell]:
        """Every cell, by ordinal."""
        return [cell for page in self._pages(f"/experiments/{id}/cells", models.CellPage) for cell in page.items]

    def cell(self, id: str, cell: str) -> models.Cell:
        """One cell."""
        return self._send("GET", f"/experiments/{id}/cells/{cell}", models.Cell)

    def results(self, id: str) -> models.Results:
        """Results by cell, and averaged over seeds."""
        return self._send("GET", f"/experiments/{id}/results", models.Results)

    def results_file(self, id: str, format: Literal["csv", "parquet"] = "csv") -> bytes:
        """The results by cell as a file."""
        return self._bytes(f"/experiments/{id}/results", format=format)

    def curves(
        self,
        id: str,
        metrics: str | Sequence[str] = "loss",
        *,
        cells: Sequence[str] | None = None,
        batch_size: Sequence[int] | None = None,
        x: Literal["step", "epoch", "examples", "seconds"] = "step",
        first: float | None = None,
        last: float | None = None,
        points: int | None = None,
        group: Literal["cell", "seed"] = "cell",
    ) -> models.Curves:
        """Series between `first` and `last` on the axis `x`, each of at most `points` points (if not said: 1000)."""
        names = [metrics] if isinstance(metrics, str) else metrics
        bounds = {"from": first, "to": last}
        asked = _given(cells=_joined(cells), batch_size=_joined(batch_size), points=points, **bounds)
        params = {"metrics": _joined(names), "x": x, "group": group, **asked}
        return self._send("GET", f"/experiments/{id}/curves", models.Curves, params=params)

    def plots(self, id: str) -> Sequence[models.PlotInfo]:
        """The plots that the experiment has."""
        return self._send("GET", f"/experiments/{id}/plots", models.PlotList).items

    def plot(self, id: str, name: str, format: PlotFormat = "svg", **options: Any) -> bytes:
        """A rendered plot; `options` are passed on (width, scale, …)."""
        return self._bytes(f"/experiments/{id}/plots/{name}.{format}", **options)

    def verdicts(self, id: str) -> models.Verdicts:
        """What the data say of the experiment's claims."""
        return self._send("GET", f"/experiments/{id}/verdicts", models.Verdicts)

    def power(self, id: str, metric: str, difference: float) -> models.Power:
        """How many seeds show this difference of a result between neighbouring points of the sweep."""
        asked = {"metric": metric, "difference": difference}
        return self._send("GET", f"/experiments/{id}/power", models.Power, params=asked)

    def digest(self, id: str) -> models.Digest:
        """SHA-256 of all that was measured but times: equal digests, equal experiments."""
        return self._send("GET", f"/experiments/{id}/digest", models.Digest)

    def analyse(
        self,
        id: str,
        kind: str,
        params: Json | None = None,
        *,
        cells: Sequence[str] | None = None,
        checkpoint: str | int = "last",
    ) -> Sequence[models.Analysis]:
        """Have the trained cells (or these) analysed; what was asked for before is not computed again."""
        asked = _given(kind=kind, params=dict(params or {}), cells=cells, checkpoint=checkpoint)
        return self._send("POST", f"/experiments/{id}/analyses", models.AnalysisList, json=asked).items

    def analyses(self, id: str) -> Sequence[models.Analysis]:
        """Every analysis of the experiment, the first asked for first."""
        return self._send("GET", f"/experiments/{id}/analyses", models.AnalysisList).items

    def analysis(self, id: str, analysis: str) -> models.Analysis:
        """One analysis with its progress and, at its end, its values."""
        return self._send("GET", f"/experiments/{id}/analyses/{analysis}", models.Analysis)

    def analysis_arrays(self, id: str, analysis: str) -> dict[str, Any]:
        """The arrays that an analysis has found, as nested lists by name."""
        return self._json(f"/experiments/{id}/analyses/{analysis}.json")

    def analysis_file(self, id: str, analysis: str, format: Literal["csv", "parquet"] = "csv") -> bytes:
        """The arrays that an analysis has found, as a long table."""
        return self._bytes(f"/experiments/{id}/analyses/{analysis}.{format}")

    def cancel_analysis(self, id: str, analysis: str) -> models.Analysis:
        """Stop an analysis; asking for it again starts it anew."""
        path = f"/experiments/{id}/analyses/{analysis}/cancel"
        return self._send("POST", path, models.Analysis, repeat=False)

    def checkpoints(self, id: str, *, cells: Sequence[str] | None = None) -> models.CheckpointList:
        """The kept weights of the experiment (or of these cells), and the room that they take."""
        asked = _given(cells=_joined(cells))
        return self._send("GET", f"/experiments/{id}/checkpoints", models.CheckpointList, params=asked)

    def checkpoint(self, id: str, sha256: str) -> bytes:
        """Kept weights as a safetensors file."""
        return self._bytes(f"/experiments/{id}/checkpoints/{sha256}.safetensors")

    def delete_checkpoints(self, id: str, *, cells: Sequence[str] | None = None) -> int:
        """Delete kept weights; returns of how many. What was measured stays."""
        asked = _given(cells=_joined(cells))
        path = f"/experiments/{id}/checkpoints"
        return self._send("DELETE", path, models.CheckpointsDeleted, params=asked).checkpoints

    def studies(self) -> Sequence[models.Study]:
        """Every study."""
        return self._send("GET", "/studies", models.StudyList).items

    def study(self, name: str) -> models.Study:
        """One study: its spec, plots and claims."""
        return self._send("GET", f"/studies/{name}", models.Study)

    def tables(self, id: str) -> models.Tables:
        """The sources' tables of small and large batches, by an experiment of the study small-vs-large-table."""
        return self._send("GET", f"/studies/small-vs-large-table/experiments/{id}/table", models.Tables)

    def run_study(
        self,
        name: str,
        overrides: Json | None = None,
        *,
        size: Literal["smoke", "small", "full"] = "full",
        key: str | None = None,
    ) -> models.Submitted:
        """Post the experiment of a study, `overrides` merged over its spec (RFC 7396)."""
        body = {**(overrides or {}), "size": size}
        return self._send("POST", f"/studies/{name}/experiments", models.Submitted, json=body, headers=_keyed(key))

    def preview_schedule(self, body: Json) -> models.SchedulePreview:
        """What a schedule does, without training: `{schedule, lr, momentum?, steps, steps_per_epoch}`."""
        return self._send("POST", "/schedules/preview", models.SchedulePreview, json=dict(body))

    def datasets(self) -> Sequence[models.Dataset]:
        """Every data set, and whether the server has it."""
        return self._send("GET", "/datasets", models.DatasetList).items

    def dataset(self, name: str) -> models.Dataset:
        """One data set."""
        return self._send("GET", f"/datasets/{name}", models.Dataset)

    def add_dataset(
        self,
        name: str,
        file: Path,
        *,
        label: str | None = None,
        task: Literal["classification", "regression"] | None = None,
        timeout: float = 600.0,
    ) -> models.Dataset:
        """Add a data set that specs then name by `{"kind": "user", "name": name}`: an npz file with x and y (and x_test
        and y_test), or a csv file whose column `label` holds the labels."""
        fields = {"name": name, **_given(label=label, task=task)}
        with file.open("rb") as opened:
            sent = {"data": fields, "files": {"file": (file.name, opened)}, "timeout": timeout, "repeat": False}
            return self._send("POST", "/datasets", models.Dataset, **sent)

    def delete_dataset(self, name: str) -> None:
        """Delete a data set that was added; refused while an experiment uses it."""
        self.transport.request("DELETE", f"/datasets/{name}")

    def workers(self) -> Sequence[models.Worker]:
        """The workers, living first."""
        return self._send("GET", "/workers", models.WorkerList).items

    def catalog(self) -> dict[str, Any]:
        """Every kind that a spec may name, with its schema and documentation."""
        return self._json("/catalog")

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a spec."""
        return self._json("/schema/experiment.json")

    def health(self) -> models.Health:
        """Whether the server can do its work, part by part. A failing part is an answer here, not an error."""
        try:
            return self._send("GET", "/health/ready", models.Health, patience=0.0)
        except RefusedError as error:
            if error.problem.status != 503:
                raise
            return models.Health.model_validate({"status": "failing", **(error.problem.model_extra or {})})

    def _act(self, id: str, action: str) -> models.Experiment:
        return self._send("POST", f"/experiments/{id}/{action}", models.Experiment, repeat=False)

    def _send(self, method: str, path: str, model: type[M], **sent: Any) -> M:
        return model.model_validate_json(self.transport.request(method, path, **sent).content)

    def _json(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.transport.request("GET", path).json()
        return found

    def _bytes(self, path: str, **params: Any) -> bytes:
        return self.transport.request("GET", path, params=params).content

    def _pages(self, path: str, model: type[P], **params: Any) -> Iterator[P]:
        asked = _given(**params)
        while True:
            page = self._send("GET", path, model, params=asked)
            yield page
            if (cursor := page.next) is None:
                return
            asked["cursor"] = cursor


def _keyed(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _joined(values: Sequence[object] | None) -> str | None:
    return None if values is None else ",".join(map(str, values))


def _nothing(_: models.Experiment) -> None:
    return None
