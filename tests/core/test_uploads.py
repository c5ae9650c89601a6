"""Data from users: read where they are plain, and refused in words before they can do harm."""

import contextlib
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab.datasets import User, store
from batchlab.datasets.user import Facts, filled, unpacked
from batchlab.errors import DataError, SpecError
from batchlab.spec import parse_spec
from batchlab.uploads import Limits, Upload, read

LIMITS = Limits(bytes=2**20)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3))
Y = np.arange(12) % 3


def npz(*, compress: bool = False, **arrays: Any) -> io.BytesIO:
    out = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(out, **arrays)
    return out


def table(text: str) -> io.BytesIO:
    return io.BytesIO(text.encode())


def refused(file: Any, **how: Any) -> str:
    with pytest.raises(DataError) as error:
        read(io.BytesIO(file) if isinstance(file, bytes) else file, LIMITS, **how)
    return str(error.value)


def facts(upload: Upload) -> Any:
    return upload.facts.model_dump(exclude={"sha256"})


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_are_read_with_their_test_part(compress: bool) -> None:
    upload = read(npz(x=X, y=Y, x_test=X[:4], y_test=Y[:4], compress=compress), LIMITS)
    assert facts(upload) == {"rows": 12, "test_rows": 4, "shape": (3,), "classes": 3}
    data = unpacked(upload.data)
    assert np.array_equal(data.x, X.astype(np.float32)) and data.x.dtype == np.float32
    assert data.y.tolist() == Y.tolist() and data.y.dtype == np.int64
    assert data.y_test is not None and data.y_test.tolist() == Y[:4].tolist()


def test_equal_arrays_have_one_fingerprint_however_they_were_packed() -> None:
    uploads = [
        read(npz(x=X, y=Y), LIMITS),
        read(npz(x=np.asfortranarray(X), y=Y.astype(np.uint8)[:, None], compress=True), LIMITS),
    ]
    assert uploads[0] == uploads[1]


@pytest.mark.parametrize(
    ("shape", "kept"),
    [((6, 5, 4), (1, 5, 4)), ((6, 8, 8, 3), (3, 8, 8)), ((6, 3, 8, 8), (3, 8, 8)), ((6, 1, 8, 1), (1, 8, 1)),
     ((6, 5, 7, 9), (5, 7, 9))],
)  # fmt: skip
def test_pictures_are_kept_with_their_channels_first(shape: Any, kept: Any) -> None:
    assert read(npz(x=np.zeros(shape), y=np.arange(6) % 2), LIMITS).facts.shape == kept


def test_bytes_are_pixels() -> None:
    pictures = RNG.integers(0, 256, (6, 7, 5, 3)).astype(np.uint8)
    upload = read(npz(x=pictures, y=np.arange(6) % 2), LIMITS)
    assert len(upload.data) < pictures.size + 1000
    assert np.array_equal(np.round(unpacked(upload.data).x * 255), pictures.transpose(0, 3, 1, 2))


def test_numbers_make_a_regression_unless_they_are_said_to_be_classes() -> None:
    assert read(npz(x=X, y=Y / 1.0), LIMITS).facts.classes is None
    assert read(npz(x=X, y=Y / 1.0), LIMITS, task="classification").facts.classes == 3
    assert read(npz(x=X, y=Y), LIMITS, task="regression").facts.classes is None
    assert read(npz(x=X, y=Y > 0), LIMITS).facts.classes == 2


def test_other_members_of_an_archive_are_left_alone() -> None:
    assert read(npz(x=X, y=Y, names=np.array(["a"])), LIMITS).facts.rows == 12


def test_a_table_is_read_by_the_names_of_its_columns() -> None:
    text = "\ufeffwidth, label,height\r\n1.5,0,2\r\n\r\n-1e3,1,.5\n"
    upload = read(table(text), LIMITS)
    assert facts(upload) == {"rows": 2, "test_rows": 0, "shape": (2,), "classes": 2}
    assert unpacked(upload.data).x.tolist() == [[1.5, 2.0], [-1000.0, 0.5]]
    other = read(table(text), LIMITS, label="height")
    assert (other.facts.classes, unpacked(other.data).y.tolist()) == (None, [2.0, 0.5])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X}, "needs the arrays x and y"),
        ({"x": X, "y": Y, "x_test": X}, "both x_test and y_test"),
        ({"x": X, "y": Y[:5]}, "one label for each of the 12 rows"),
        ({"x": X, "y": np.eye(12)}, "one label for each"),
        ({"x": X[:, 0], "y": Y}, "has the shape (12,)"),
        ({"x": np.zeros((2, 2, 2, 2, 2)), "y": [0, 1]}, "at most 4 dimensions"),
        ({"x": np.zeros((12, 0)), "y": Y}, "has the shape (12, 0)"),
        ({"x": X[:1], "y": Y[:1]}, "too few"),
        ({"x": X[:0], "y": Y[:0]}, "too few"),
        ({"x": X, "y": Y, "x_test": X[:0], "y_test": Y[:0]}, "x_test has no rows"),
        ({"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y}, "rows of x_test have the shape (2,)"),
        ({"x": np.where(X[5, 1] == X, np.nan, X), "y": Y}, "not finite in 1 rows, the first of them row 5"),
        ({"x": np.where(X[5, 1] == X, np.inf, X), "y": Y}, "not finite"),
        ({"x": np.where(X[5, 1] == X, 1e39, X), "y": Y}, "as float32"),
        ({"x": X, "y": np.where(Y == 1, np.nan, 0.5)}, "y is not finite"),
        ({"x": X, "y": Y - 1}, "holds -1 in row 0"),
        ({"x": X, "y": Y * 2}, "no training row has the class 1"),
        ({"x": X, "y": Y * 10**6}, "at most 10000"),
        ({"x": X, "y": Y * 0}, "nothing to tell apart"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y + 1}, "y_test holds the class 3"),
        ({"x": X.astype(complex), "y": Y}, "not plain numbers"),
        ({"x": X.astype("U9"), "y": Y}, "not plain numbers"),
        ({"x": X.astype(np.longdouble), "y": Y}, "at most 8 bytes"),
        ({"x": X, "y": Y, "x_test": np.zeros(2**20), "y_test": Y}, "over the limit of 1048576"),
    ],
)  # fmt: skip
def test_arrays_that_no_training_could_use_are_refused(arrays: Any, said: str) -> None:
    assert said in refused(npz(**arrays))


def test_labels_between_classes_are_refused() -> None:
    assert "y holds 0.5 in row 1" in refused(npz(x=X, y=Y + 0.5 * (Y == 1) - 1 * (Y == 1)), task="classification")


class Hostile:
    """An object whose pickle runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def test_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    evil = np.array([Hostile(tmp_path / "run")] * 12, object)
    out = io.BytesIO()
    np.savez(out, x=X, y=evil)
    assert "not plain numbers" in refused(out)
    assert refused(pickle.dumps(Hostile(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def member(header: bytes, payload: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + payload


def archive(**members: bytes) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(f"{name}.npy", data)
    return out


def declared(shape: str, dtype: str = "<f8") -> bytes:
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (member(declared("(1099511627776,)")), "8796093022208 bytes"),
        (member(declared("(2, 3)"), b"\0" * 7), "48 bytes"),
        (member(declared("(-2, 3)"), b"\0" * 48), "(-2, 3)"),
        (member(declared("(2, 3)", "|O"), b"\0" * 48), "not plain numbers"),
        (member(b"{'descr': __import__('os').system('true')}"), "damaged"),
        (member(b"(" * 5000), "damaged"),
        (member(b"{[]: 1}"), "damaged"),
        (member(b"{'descr': '''<f8"), "damaged"),
        (member(b"{'descr': '<f8', 'shape': (1"), "damaged"),
        (member(declared("(1,)", "<f8,")), "not plain numbers"),
        (member(b" " * 50000 + declared("(2, 3)"), b"\0" * 48), "damaged"),
        (b"\x93NUMPY\x09\x00", "version"),
        (b"plain text", "damaged"),
        (b"", "damaged"),
    ],
)
def test_headers_that_lie_are_refused(x: bytes, said: str) -> None:
    assert said in refused(archive(x=x, y=member(declared("(2,)"), b"\0" * 16)))


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    zeros = member(declared("(33554432,)"), b"\0" * 2**28)
    bomb = archive(x=zeros, y=zeros)
    assert len(bomb.getvalue()) < 2**20
    del zeros
    tracemalloc.start()
    assert "over the limit of 1048576" in refused(bomb)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_directory_that_hides_a_members_size_inflates_no_more_than_it_says() -> None:
    data = bytearray(
        archive(x=member(declared("(2, 3)"), b"\0" * 2**22), y=member(declared("(2,)"), b"\0" * 16)).getvalue()
    )
    small = len(member(declared("(2, 3)"), b"\0" * 48))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(signature) + at
        data[place : place + 4] = struct.pack("<I", small)
    tracemalloc.start()
    assert "damaged" in refused(bytes(data))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_directory_of_very_many_files_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for i in range(33):
            packed.writestr(f"{i}", b"")
    assert "more than 32 files" in refused(out)


def test_a_name_that_leads_elsewhere_is_no_array() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("../x.npy", b"")
        packed.writestr("/y.npy", b"")
    assert "it has none of them" in refused(out)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("x.npy", b"")
        packed.writestr("x.npy", b"")
    assert "twice" in refused(out)


def test_a_file_cut_anywhere_is_refused() -> None:
    whole = npz(x=X, y=Y, compress=True).getvalue()
    for length in range(2, len(whole), 7):
        assert refused(whole[:length])


def test_a_file_with_a_flipped_bit_is_refused_or_read_as_it_was() -> None:
    whole = bytearray(npz(x=X, y=Y, compress=True).getvalue())
    right = read(io.BytesIO(bytes(whole)), LIMITS)
    for place in range(0, len(whole), 5):
        whole[place] ^= 0x10
        with contextlib.suppress(DataError):
            assert read(io.BytesIO(bytes(whole)), LIMITS) == right
        whole[place] ^= 0x10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name the columns"),
        ("label\n1\n", "at least a feature"),
        ("a,a,label\n1,2,0\n", "each by another name"),
        ("a,b\n1,2\n", "no column is called 'label'"),
        ("a,label\n1,0\n2\n", "line 3 has 1 columns"),
        ("a,label\n1,0\n2,cat\n", "line 3, column 'label': 'cat' is no number"),
        ("a,label\n1,0\n,1\n", "column 'a': '' is no number"),
        ("a,label\n1,0\n2,1\nnan,1\n", "not finite in 1 rows"),
        ('a,label\n"1,0\n', "line 2 is no csv"),
        ("a,label\n", "too few"),
        ("a,label\n1,-1\n2,0\n", "holds -1"),
        ("x" * (2**20 + 5), "line 1 is longer than 1048576 bytes"),
        (",".join(f"c{i}" for i in range(100_000)) + "\n", "100000 columns, over the limit of 10000"),
        ("," * 1_000_000 + "\n", "1000001 columns, over the limit"),
        ("a,b,label\n" + "1,2,0\n" * 140_000, "pass the limit of 1048576 bytes"),
    ],
    ids=range(15),
)
def test_tables_that_are_no_data_are_refused(text: str, said: str) -> None:
    assert said in refused(table(text))


def test_a_table_in_another_encoding_is_refused() -> None:
    assert "line 2 is no csv in UTF-8" in refused("a,label\n1,é\n".encode("latin-1"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    upload = read(npz(x=X, y=Y), LIMITS)
    store.add(tmp_path, "mine", upload.data, upload.facts)
    return tmp_path


SPEC: dict[str, Any] = {
    "dataset": {"kind": "user", "name": "mine"},
    "model": {"kind": "softmax"},
    "batch_sizes": [4],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"steps": 2},
}


def parsed(folder: Path, **changes: Any) -> Any:
    return parse_spec(filled({**SPEC, **changes}, lambda name, sha256: store.find(folder, name, sha256)))


def test_what_was_added_is_trained_on_by_its_name(folder: Path) -> None:
    from batchlab.run import run

    spec = parsed(folder)
    assert (spec.dataset.rows, spec.dataset.shape, spec.dataset.classes) == (12, (3,), 3)
    *_, last = run(spec, folder)
    assert last.row is not None and last.row["status"] == "succeeded"
    assert store.names(folder) == ["mine"]


def test_a_spec_with_its_facts_needs_no_filling(folder: Path) -> None:
    spec = parsed(folder)
    assert parse_spec(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"dataset": {"kind": "user", "name": "other"}}, ("dataset", "name")),
        ({"dataset": {"kind": "user", "name": "mine", "sha256": "0" * 64}}, ("dataset", "name")),
        ({"dataset": {"kind": "user", "name": "../x"}}, ("dataset", "name")),
        ({"dataset": {"kind": "user"}}, ("dataset", "name")),
        (
            {"variants": [{"name": "a"}, {"name": "b", "dataset": {"name": "other"}}]},
            ("variants", 1, "dataset", "name"),
        ),
    ],
)
def test_unknown_data_are_refused_with_the_path(folder: Path, changes: Any, loc: Any) -> None:
    with pytest.raises(SpecError) as error:
        parsed(folder, **changes)
    assert loc in [fault.loc for fault in error.value.faults]


def test_variants_may_be_of_other_data(folder: Path) -> None:
    from batchlab.expand import expand

    other = read(npz(x=X[:9, :2], y=Y[:9]), LIMITS)
    store.add(folder, "other", other.data, other.facts)
    variants = [{"name": "a"}, {"name": "b", "dataset": {"name": "other"}},
                {"name": "c", "dataset": {"kind": "iris", "name": None}}]  # fmt: skip
    spec = parsed(folder, variants=variants)
    assert [(cell.dataset.kind, cell.info.rows) for cell in expand(spec)] == [("user", 12), ("user", 9), ("iris", 150)]
    assert parse_spec(spec.model_dump(mode="json")) == spec
    inner = parsed(
        folder, dataset={"kind": "iris"}, variants=[{"name": "a", "dataset": {"kind": "user", "name": "mine"}}]
    )
    assert [cell.info.rows for cell in expand(inner)] == [12]


def test_a_name_is_given_once(folder: Path) -> None:
    upload = read(npz(x=X, y=Y), LIMITS)
    with pytest.raises(DataError, match="there is a data set mine already"):
        store.add(folder, "mine", upload.data, upload.facts)


def test_a_damaged_file_is_refused(folder: Path) -> None:
    dataset = User(name="mine", **store.find(folder, "mine").model_dump())  # type: ignore[union-attr]
    path = dataset.path(folder)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="is damaged"):
        dataset.load(folder)


def test_data_of_another_size_than_the_spec_says_are_refused(folder: Path) -> None:
    known = store.find(folder, "mine")
    assert isinstance(known, Facts)
    with pytest.raises(DataError, match="as was said"):
        User(name="mine", **known.model_dump() | {"rows": 11}).load(folder)
