"""The pictures of the studies' gallery: small, for light and dark pages, and addressed where there are some."""

import xml.etree.ElementTree as ET

import pytest
from batchlab.studies import STUDIES
from batchlab.studies.topics import OTHER, TOPICS, topic_of
from batchlab_api.plots import PLOTS
from batchlab_api.routes.studies import PICTURES
from fastapi.testclient import TestClient

MOST_BYTES = 80_000
DRAWN = sorted({file.name.split(".")[0] for file in PICTURES.glob("*.svg")})


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_is_a_small_drawing_without_a_ground_of_its_own(name: str, theme: str, client: TestClient) -> None:
    answer = client.get(f"/studies/{name}/picture.svg", params={"theme": theme})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert len(answer.content) <= MOST_BYTES
    top = ET.fromstring(answer.text)
    assert top.tag.endswith("svg") and not top[0].tag.endswith("rect")


def test_pictures_belong_to_studies_and_studies_say_whether_they_have_one(client: TestClient) -> None:
    assert set(DRAWN) <= set(STUDIES)
    links = {study["name"]: study["links"] for study in client.get("/studies").json()["items"]}
    assert {name for name, found in links.items() if "picture" in found} == set(DRAWN)


def test_a_picture_that_has_not_been_drawn_and_a_theme_that_there_is_not_are_refused(client: TestClient) -> None:
    assert client.get("/studies/nothing/picture.svg").status_code == 404
    assert client.get(f"/studies/{DRAWN[0]}/picture.svg", params={"theme": "blue"}).status_code == 422


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_names_plots_that_there_are(name: str) -> None:
    assert set(STUDIES[name].plots) <= set(PLOTS)


def test_a_study_has_one_topic_or_none_of_its_own(client: TestClient) -> None:
    names = [name for group in TOPICS.values() for name in group]
    assert len(set(names)) == len(names)
    assert topic_of("something else") == OTHER
    assert {study["name"]: study["topic"] for study in client.get("/studies").json()["items"]} == {
        name: topic_of(name) for name in STUDIES
    }
