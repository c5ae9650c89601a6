"""The smaller endpoints: studies, schedules, the catalogue, data sets, workers, health, metrics, documentation."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from batchlab.studies import STUDIES
from batchlab_api import problems
from batchlab_api.plots.catalogue import PLOTS
from batchlab_client import models
from batchlab_db import reconcile, workers
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from fastapi.testclient import TestClient
from hand import SPEC, Hand
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from serving import until
from sqlalchemy import text

Post = Callable[..., str]
Serve = Callable[..., TestClient]


def test_every_study_is_listed_with_its_spec_and_claims(client: TestClient) -> None:
    listed = models.StudyList.model_validate(client.get("/studies").json()).items
    assert [study.name for study in listed] == list(STUDIES)
    for study in listed:
        assert models.Study.model_validate(client.get(study.links["self"]).json()) == study
        assert study.question and study.source and study.claims and study.plots
        assert set(study.plots) <= PLOTS.keys()
    assert client.get("/studies/nothing").status_code == 404


def test_the_textbook_study_has_its_numbers(client: TestClient) -> None:
    start = "/studies/grad-norm-vs-batch/experiments"
    full = models.PlanReport.model_validate(client.post(f"{start}?dry_run=true", json={}).json())
    assert (full.cells, full.updates) == (80, 4_632_500)
    once = models.PlanReport.model_validate(client.post(f"{start}?dry_run=true", json={"seeds": 1}).json())
    assert (once.cells, once.updates) == (16, 926_500)


@pytest.mark.parametrize("in_body", [True, False])
def test_a_study_is_started_in_a_size_with_overrides(client: TestClient, in_body: bool) -> None:
    body = {"seeds": 2, "lr": {"base": 0.1}} | ({"size": "smoke"} if in_body else {})
    query = {} if in_body else {"size": "smoke"}
    answer = client.post("/studies/grad-norm-vs-batch/experiments", json=body, params=query)
    assert answer.status_code == 202, answer.text
    made = models.Experiment.model_validate(client.get(answer.headers["Location"]).json())
    assert (made.study, made.spec["budget"]["epochs"], made.spec["seeds"]) == ("grad-norm-vs-batch", 2, 2)
    assert made.spec["lr"] == {"rule": "fixed", "base": 0.1}


def test_a_study_needs_no_body_and_refuses_a_strange_one(client: TestClient) -> None:
    start = "/studies/grad-norm-vs-batch/experiments"
    assert client.post(start, params={"size": "smoke"}).status_code == 202
    assert client.post(start, json={"colour": "red"}).json()["errors"][0]["loc"] == ["colour"]
    for body in ([], "full", {"size": "huge"}, {"size": []}):
        assert client.post(start, json=body).status_code == 422, body
    assert client.post("/studies/nothing/experiments", json={}).status_code == 404


def test_the_same_key_starts_a_study_once(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k"}
    start = "/studies/grad-norm-vs-batch/experiments?size=smoke"
    assert len({client.post(start, json={}, headers=headers).json()["id"] for _ in range(2)}) == 1
    assert client.post(start, json={"seeds": 2}, headers=headers).status_code == 409


def preview(client: TestClient, **body: object) -> models.SchedulePreview:
    answer = client.post("/schedules/preview", json={"lr": 0.5, "steps": 100, "steps_per_epoch": 10} | body)
    assert answer.status_code == 200, answer.text
    return models.SchedulePreview.model_validate(answer.json())


def test_a_schedule_is_drawn_without_training(client: TestClient) -> None:
    constant = preview(client)
    assert (constant.x, constant.lr, constant.momentum) == (list(range(1, 101)), [0.5] * 100, None)
    cosine = preview(client, schedule={"kind": "cosine"}, momentum=0.9, steps=10**9, points=50)
    assert (len(cosine.x), cosine.x[0], cosine.x[-1]) == (50, 1, 10**9)
    assert cosine.lr[0] == 0.5 and math.isclose(cosine.lr[-1] or 0.0, 0.0, abs_tol=1e-12)
    assert cosine.momentum == [0.9] * 50


def test_a_warm_up_rises_over_its_epochs(client: TestClient) -> None:
    warm = {"kind": "warmup", "length": 2, "unit": "epochs", "start": 0.0}
    lr = preview(client, schedule=warm).lr
    assert lr[:3] == pytest.approx([0.0, 0.025, 0.05]) and lr[20:] == [0.5] * 80


def test_the_momentum_is_drawn_with_the_rate(client: TestClient) -> None:
    cycle = preview(client, schedule={"kind": "one_cycle"}, momentum=0.95)
    assert cycle.momentum is not None and min(m or 0.0 for m in cycle.momentum) == pytest.approx(0.85)
    own = {"kind": "multistep", "milestones": [0.5], "gamma": 0.5}
    assert preview(client, momentum=0.8, momentum_schedule=own).momentum == [0.8] * 50 + [0.4] * 50


def test_a_growing_batch_is_drawn_with_what_it_saves(client: TestClient) -> None:
    growing = {"kind": "instead_of_decay", "schedule": {"kind": "multistep", "milestones": [0.5], "gamma": 0.2}}
    found = preview(client, batch_schedule=growing, batch_size=20)
    assert found.batch_size == [20] * 50 + [100] * 10
    assert found.lr == pytest.approx([0.5] * 60)
    report = found.equivalence
    assert report is not None
    assert (report.updates, report.even_updates) == (60, 100) and report.saved == pytest.approx(0.4)
    assert report.departure == pytest.approx(1.0) and report.noise == pytest.approx(report.even_noise)
    plain = preview(client, batch_schedule={"kind": "growth", "milestones": [0.5]}, batch_size=20).equivalence
    assert plain is not None and plain.departure == pytest.approx(2.0)


def test_a_batch_schedule_that_does_not_fit_is_refused(client: TestClient) -> None:
    body = {"lr": 0.5, "steps": 100, "steps_per_epoch": 10, "batch_schedule": {"kind": "linear"}}
    assert "batch_size" in client.post("/schedules/preview", json=body).text
    large = body | {"batch_size": 20, "batch_schedule": {"kind": "steps", "milestones": [0.5], "sizes": [500]}}
    answer = client.post("/schedules/preview", json=large)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/batch_schedule/sizes/0"


def test_a_wrong_schedule_is_refused_at_its_path(client: TestClient) -> None:
    wrong = {"schedule": {"kind": "cosine", "length": -1}, "lr": 0.5, "steps": 0}
    answer = client.post("/schedules/preview", json=wrong)
    assert answer.status_code == 422
    assert {"/schedule/length", "/steps", "/steps_per_epoch"} == {fault["pointer"] for fault in answer.json()["errors"]}


def test_the_catalogue_names_every_kind_with_its_schema(client: TestClient) -> None:
    found = client.get("/catalog").json()
    assert {"sectors", "mnist", "digits"} <= set(found["datasets"]) and {"softmax", "mlp"} <= set(found["models"])
    for family in ("datasets", "models", "optimizers", "lr_rules", "schedules", "probes"):
        for entry in found[family].values():
            assert entry["doc"] and entry["schema"]["type"] == "object"


def test_the_schema_of_a_spec_accepts_a_good_one_and_not_a_bad_one(client: TestClient) -> None:
    schema = client.get("/schema/experiment.json").json()
    check = jsonschema.Draft7Validator(schema)
    assert list(check.iter_errors(SPEC)) == []
    assert list(check.iter_errors(SPEC | {"colour": "red"}))


def test_data_sets_tell_their_shapes_and_whether_they_are_here(client: TestClient) -> None:
    listed = {item.name: item for item in models.DatasetList.model_validate(client.get("/datasets").json()).items}
    assert (listed["sectors"].available, listed["mnist"].available) == (True, False)
    mnist = models.Dataset.model_validate(client.get("/datasets/mnist").json())
    assert (mnist.rows, mnist.test_rows, mnist.classes) == (60000, 10000, 10)
    assert mnist.shapes["x"][0] == 60000 and mnist.shapes["y_test"] == [10000]
    assert client.get("/datasets/nothing").status_code == 404


def test_workers_are_shown_with_what_they_train(client: TestClient, post: Post, hand: Hand) -> None:
    assert client.get("/workers").json()["items"] == []
    id = post()
    lease = hand.claim()
    assert lease is not None
    [one] = models.WorkerList.model_validate(client.get("/workers").json()).items
    assert (one.worker, one.device, one.alive) == (hand.me.id, "cpu", True)
    assert (one.queues, one.datasets) == (["cpu"], ["sectors"])
    workers.heartbeat(hand.engine, hand.me, state="busy", cohort_id=lease.cohort_id)
    [one] = models.WorkerList.model_validate(client.get("/workers").json()).items
    assert one.slice is not None and (one.slice.experiment, one.slice.cohort) == (id, str(lease.cohort_id))


def test_a_silent_worker_is_not_alive_and_its_experiment_stalled(serve: Serve, hand: Hand) -> None:
    client = serve(alive_seconds=0.0)
    id = client.post("/experiments", json=SPEC).json()["id"]
    hand.train(40, most=1)
    assert [one["alive"] for one in client.get("/workers").json()["items"]] == [False]
    assert client.get(f"/experiments/{id}").json()["status"] == "stalled"


def test_a_lab_in_order_is_ready(client: TestClient, settings: Settings) -> None:
    engine = make_engine(settings, role="worker")
    reconcile.reconcile(engine, settings)
    engine.dispose()
    found = models.Health.model_validate(client.get("/health/ready").json())
    assert found.status == "ok"
    assert {name: part.ok for name, part in found.parts.items()} == dict.fromkeys(
        ("database", "schema", "broker", "reconciler", "disk"), True
    )


def failing(client: TestClient) -> set[str]:
    answer = client.get("/health/ready")
    assert answer.status_code == 503 and answer.headers["Content-Type"] == "application/problem+json"
    parts = {name: models.Part.model_validate(part) for name, part in answer.json()["parts"].items()}
    found = {name for name, part in parts.items() if not part.ok}
    assert all(name in answer.json()["detail"] for name in found)
    return found


def test_a_failing_part_is_named(serve: Serve, settings: Settings, tmp_path: Path) -> None:
    client = serve(broker_url=SecretStr(f"redis+socket://{tmp_path}/nobody.sock"), reconcile_seconds=3600.0)
    until(lambda: failing(client) == {"broker"})
    engine = make_engine(settings, role="worker")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))
        connection.execute(text("DELETE FROM facts WHERE name = 'reconciler'"))
    engine.dispose()
    assert failing(client) >= {"broker", "schema", "reconciler"}


def test_a_database_that_is_away_is_a_503_and_no_secret_leaks(serve: Serve) -> None:
    away = SecretStr("postgresql+psycopg://batchlab:hunter2@/batchlab?host=/nonexistent")
    client = serve(database_url=away)
    assert failing(client) >= {"database", "schema", "reconciler"}
    answer = client.get("/experiments")
    assert (answer.status_code, answer.json()["type"]) == (503, "/docs#database-away") and answer.headers["Retry-After"]
    page = client.get("/metrics")
    assert page.status_code == 200 and "batchlab_cells" not in page.text
    assert client.get("/health/live").status_code == 200
    assert "hunter2" not in answer.text + page.text + client.get("/health/ready").text


def test_the_metrics_page_counts_what_there_is(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    hand.train(most=1)
    client.get(f"/experiments/{id}")
    families = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    cells = {sample.labels["status"]: sample.value for sample in families["batchlab_cells"].samples}
    assert cells == {"queued": 3.0, "succeeded": 1.0}
    assert families["batchlab_workers"].samples[0].value == 1.0
    assert families["batchlab_db_size_bytes"].samples
    assert families["batchlab_build_info"].samples[0].labels["version"]
    routes = {s.labels["route"] for s in families["batchlab_http_request_seconds"].samples}
    assert "/experiments/{id}" in routes and not any(id in route for route in routes)
    assert id not in client.get("/metrics").text


def test_a_strange_method_or_path_makes_no_new_label(client: TestClient) -> None:
    client.request("BREW", "/experiments")
    client.get("/some/path/nobody/made")
    page = client.get("/metrics").text
    assert "BREW" not in page and "nobody" not in page and 'method="other"' in page


def test_the_documentation_names_every_endpoint_and_every_problem(client: TestClient) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json()
    for path in document["paths"]:
        assert path in page
    for kind in problems.KINDS:
        assert f'id="{kind}"' in page
    assert "http://" not in page and "https://" not in page and "<script" not in page


def test_operations_are_named_after_their_functions(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operations = [operation for verbs in document["paths"].values() for operation in verbs.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) and all(name.isidentifier() and name.islower() for name in names)
    assert all(operation["tags"] and operation["description"] for operation in operations)
    references = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [("GET", "/nowhere", 404, "not-found"), ("PUT", "/experiments", 405, "method-not-allowed"),
     ("GET", "/experiments/", 404, "not-found"), ("DELETE", "/health/live", 405, "method-not-allowed")],
)  # fmt: skip
def test_what_is_not_on_offer_is_a_problem_too(
    client: TestClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = client.request(method, path)
    problem = models.Problem.model_validate(answer.json())
    assert (answer.status_code, problem.type) == (status, f"/docs#{kind}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem.request_id == answer.headers["X-Request-Id"]


def test_a_fault_of_the_server_shows_an_id_and_no_traceback(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("batchlab_api.routes.catalog.catalog.catalog", broken)
    answer = client.get("/catalog")
    problem = models.Problem.model_validate(answer.json())
    assert (answer.status_code, problem.type) == (500, "/docs#internal")
    assert "secret detail" not in answer.text and "Traceback" not in answer.text
    said = capsys.readouterr().out
    assert problem.request_id in said and "secret detail" in said


def test_pointers_escape_what_json_pointers_must() -> None:
    assert problems.pointer(("a/b", 0, "c~d")) == "/a~1b/0/c~0d"


def test_every_problem_of_the_exception_table_has_a_kind() -> None:
    assert set(problems.EXCEPTIONS.values()) <= set(problems.KINDS)
