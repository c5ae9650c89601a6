"""Bodies: what is no JSON, too deep or unfit for the database is refused before anything looks at it."""

import json

import pytest
from batchlab_api.bodies import MAX_DEPTH, checked, depth, json_body
from batchlab_api.problems import ProblemError
from batchlab_api.requests import MoreSeeds
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def nesting(value: object) -> int:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if items is None else 1 + max(map(nesting, items), default=0)


@given(JSON)
def test_the_depth_is_found_without_parsing(value: object) -> None:
    assert depth(json.dumps(value).encode()) == nesting(value)


def test_brackets_within_texts_do_not_count() -> None:
    assert depth(rb'["[[[", "\"[[", {"[{": "\\"}]') == 2


def test_the_deepest_allowed_body_is_read() -> None:
    text = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert json_body(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * (MAX_DEPTH + 1),
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"{",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"\xff\xfe",
        b"1" * 100_000,
        rb'"\ud800"',
        rb'{"a": ["\u0000"]}',
        rb'{"\u0000": 1}',
    ],
    ids=lambda text: text[:12].decode("latin-1"),
)
def test_what_is_no_usable_json_is_refused(text: bytes) -> None:
    with pytest.raises(ProblemError) as refused:
        json_body(text)
    assert refused.value.slug == "bad-body"


def test_an_empty_body_is_an_empty_object() -> None:
    assert json_body(b"") == {}


def test_every_fault_of_a_body_is_named_with_its_path() -> None:
    with pytest.raises(ProblemError) as refused:
        checked(MoreSeeds, {"add": 0, "more": 1})
    assert {fault.loc for fault in refused.value.faults} == {("add",), ("more",)}
    assert checked(MoreSeeds, {"add": 2}).add == 2
