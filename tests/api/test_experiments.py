"""Lists, details, changes and transitions of experiments, and their cells."""

from collections.abc import Callable

import pytest
from batchlab_client import models
from fastapi.testclient import TestClient
from hand import STEPS, Hand

Post = Callable[..., str]


def page(client: TestClient, **params: object) -> models.ExperimentPage:
    answer = client.get("/experiments", params=params)
    assert answer.status_code == 200, answer.text
    return models.ExperimentPage.model_validate(answer.json())


def one(client: TestClient, id: str) -> models.Experiment:
    return models.Experiment.model_validate(client.get(f"/experiments/{id}").json())


def test_the_list_is_paged_newest_first(client: TestClient, post: Post) -> None:
    ids = [post(name=f"e{k}") for k in range(5)][::-1]
    seen: list[str] = []
    address: str | None = "/experiments?limit=2"
    while address:
        answer = client.get(address)
        found = models.ExperimentPage.model_validate(answer.json())
        seen += [item.id for item in found.items]
        address = answer.links["next"]["url"] if found.next else None
        assert bool(found.next) == ("next" in answer.links)
    assert seen == ids


def test_the_list_is_filtered_by_status_tag_and_text(client: TestClient, post: Post) -> None:
    first, second = post(name="alpha 100%", tags=["a"]), post(name="beta", tags=["a", "b"])
    client.post(f"/experiments/{first}/cancel")
    assert [item.id for item in page(client, status="cancelled").items] == [first]
    assert [item.id for item in page(client, tag="a").items] == [second, first]
    assert [item.id for item in page(client, tag="b").items] == [second]
    assert [item.id for item in page(client, q="100%").items] == [first]
    assert page(client, q="1_0").items == [], "wildcards stand for themselves"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "status=lost", "limit=1001", "cursor=zzz", "q=" + "%25_" * 5000]
)
def test_a_wrong_parameter_is_refused(client: TestClient, query: str) -> None:
    answer = client.get(f"/experiments?{query}")
    assert answer.status_code in (400, 422) and answer.json()["request_id"]


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    for path in (
        "",
        "/cells",
        "/cells/1",
        "/results",
        "/curves",
        "/plots",
        "/plots/loss-curves.svg",
        "/digest",
        "/events",
    ):
        answer = client.get(f"/experiments/nothing{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/docs#not-found"), path


def test_progress_follows_the_cells(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    assert one(client, id).status == "queued"
    hand.train(most=1)
    hand.train(40, most=1)
    shown = one(client, id)
    assert shown.status == "running" and shown.started_at is not None
    assert shown.progress.cells.succeeded == 1
    assert (shown.progress.updates_done, shown.progress.updates_total) == (STEPS + 40, 4 * STEPS)
    hand.train()
    shown = one(client, id)
    assert shown.status == "succeeded" and shown.progress.eta_seconds == 0.0 and shown.finished_at is not None


def test_a_paused_experiment_rests_until_it_is_resumed(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    answer = client.post(f"/experiments/{id}/pause")
    assert answer.status_code == 202 and answer.json()["status"] == "paused"
    assert hand.train() == 0
    assert client.post(f"/experiments/{id}/resume").json()["status"] == "queued"
    assert hand.train() == 4


def test_a_cancelled_experiment_may_be_retried(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    hand.train(most=1)
    cancelled = models.Experiment.model_validate(client.post(f"/experiments/{id}/cancel").json())
    assert cancelled.status == "cancelled" and cancelled.progress.cells.succeeded == 1
    assert client.post(f"/experiments/{id}/retry").json()["status"] in ("queued", "running")
    assert hand.train() == 3
    assert one(client, id).status == "succeeded"


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_what_has_succeeded_cannot_be_changed(client: TestClient, post: Post, hand: Hand, action: str) -> None:
    id = post()
    hand.train()
    answer = client.post(f"/experiments/{id}/{action}")
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs#not-allowed")
    assert client.post(f"/experiments/nothing/{action}").status_code == 404


def test_a_failed_cell_tells_its_cause(client: TestClient, post: Post, hand: Hand) -> None:
    id = post(batch_sizes=[4], seeds=1)
    hand.train(fail="out_of_memory")
    shown = one(client, id)
    assert (shown.status, shown.error) == ("failed", "by hand")
    [cell] = models.CellPage.model_validate(client.get(f"/experiments/{id}/cells").json()).items
    assert (cell.status, cell.cause, cell.message, cell.result) == ("failed", "out_of_memory", "by hand", None)


def test_seeds_can_be_added_to_a_finished_experiment(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    hand.train()
    answer = client.post(f"/experiments/{id}/seeds", json={"add": 2})
    assert answer.status_code == 202
    grown = models.Experiment.model_validate(answer.json())
    assert (grown.status, grown.progress.cells.queued, grown.spec["seeds"]) == ("running", 4, 4)
    hand.train()
    cells = models.CellPage.model_validate(client.get(f"/experiments/{id}/cells").json()).items
    assert [(cell.batch_size, cell.seed) for cell in cells[4:]] == [(4, 2), (4, 3), (16, 2), (16, 3)]


def test_more_seeds_than_the_lab_allows_are_refused(client: TestClient, post: Post) -> None:
    id = post()
    answer = client.post(f"/experiments/{id}/seeds", json={"add": 10_000})
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#too-large")
    assert client.post(f"/experiments/{id}/seeds", json={"add": 0}).json()["errors"][0]["pointer"] == "/add"


def test_seeds_beyond_the_largest_are_refused(client: TestClient, post: Post) -> None:
    id = post(seeds=[2**32 - 1])
    answer = client.post(f"/experiments/{id}/seeds", json={"add": 1})
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#bad-spec")
    assert "the largest seed" in answer.json()["errors"][0]["msg"]


def test_name_tags_and_note_can_be_changed(client: TestClient, post: Post) -> None:
    id = post()
    answer = client.patch(f"/experiments/{id}", json={"note": "<img onerror=alert(1)>", "tags": ["x"]})
    assert answer.status_code == 200
    shown = one(client, id)
    assert (shown.name, shown.tags, shown.note) == ("small", ["x"], "<img onerror=alert(1)>")
    assert client.patch(f"/experiments/{id}", json={"spec": {}}).status_code == 422


def test_a_deleted_experiment_is_gone(client: TestClient, post: Post) -> None:
    id = post()
    client.post(f"/experiments/{id}/cancel")
    assert client.delete(f"/experiments/{id}").status_code == 204
    assert client.get(f"/experiments/{id}").status_code == 404
    assert client.delete(f"/experiments/{id}").status_code == 404


def test_a_running_experiment_is_not_deleted(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    hand.train(40, most=1)
    assert client.delete(f"/experiments/{id}").status_code == 409


def test_cells_are_paged_by_ordinal_and_found_by_id(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    hand.train()
    first = client.get(f"/experiments/{id}/cells?limit=3")
    rest = client.get(first.links["next"]["url"])
    cells = [cell for answer in (first, rest) for cell in models.CellPage.model_validate(answer.json()).items]
    assert [cell.ordinal for cell in cells] == [0, 1, 2, 3]
    same = models.Cell.model_validate(client.get(f"/experiments/{id}/cells/{cells[2].id}").json())
    assert same == cells[2] and same.batch_size == 16 and same.engine == "reference"
    assert client.get(f"/experiments/{id}/cells/{cells[2].id}0").status_code == 404


def test_a_cell_belongs_to_its_experiment_alone(client: TestClient, post: Post) -> None:
    first, second = post(), post()
    [cell, *_] = client.get(f"/experiments/{first}/cells").json()["items"]
    assert client.get(f"/experiments/{second}/cells/{cell['id']}").status_code == 404


def test_an_unchanged_answer_is_not_sent_again(client: TestClient, post: Post) -> None:
    id = post()
    for path in ("", f"/{id}", f"/{id}/cells", f"/{id}/results", f"/{id}/curves", f"/{id}/digest"):
        first = client.get(f"/experiments{path}")
        tag = first.headers["ETag"]
        again = client.get(f"/experiments{path}", headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag), path
    client.patch(f"/experiments/{id}", json={"name": "other"})
    changed = client.get(f"/experiments/{id}", headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["ETag"] != tag


def test_equal_experiments_have_equal_digests(client: TestClient, post: Post, hand: Hand) -> None:
    first, second, other = post(), post(), post(seeds=[5, 6])
    hand.train()
    digests = [
        models.Digest.model_validate(client.get(f"/experiments/{id}/digest").json()) for id in (first, second, other)
    ]
    assert digests[0] == digests[1] != digests[2]
    assert [cell.ordinal for cell in digests[0].cells] == [0, 1, 2, 3]
