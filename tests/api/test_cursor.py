"""Event ids: short text that says how far a stream has told each cell."""

import pytest
from batchlab_api.cursor import Told, decode, encode
from hypothesis import given
from hypothesis import strategies as st

COUNTS = st.integers(0, 2**53)


@given(st.dictionaries(COUNTS, st.builds(Told, COUNTS, COUNTS), max_size=20))
def test_what_is_encoded_comes_back(cursor: dict[int, Told]) -> None:
    text = encode(cursor)
    assert decode(text) == cursor
    assert text.isascii() and text.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=60))
def test_other_text_is_refused_with_one_error(text: str) -> None:
    with pytest.raises(ValueError, match="not an event id"):
        decode("!" + text)


def test_ten_thousand_cells_fit_into_a_header() -> None:
    assert len(encode({cell: Told(926_500, 0) for cell in range(1_000_000, 1_010_000)})) < 4000


def test_a_bomb_is_not_unpacked() -> None:
    import zlib
    from base64 import urlsafe_b64encode

    bomb = urlsafe_b64encode(zlib.compress(b"[" * 50_000_000)).decode()
    with pytest.raises(ValueError, match="not an event id"):
        decode(bomb)
