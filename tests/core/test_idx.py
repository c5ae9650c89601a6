"""Idx files: reading, refusing damaged ones, finding them in every layout, downloading them from real mirrors."""

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from batchlab import idx
from batchlab.datasets import Info, Mnist
from batchlab.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"
Files = dict[str, bytes]


def pack(array: Any) -> bytes:
    """An idx file of unsigned bytes."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def files() -> Files:
    """A tiny MNIST: six training and two test pictures."""
    rng = np.random.default_rng(0)
    sizes = {idx.TRAIN_X: (6, 28, 28), idx.TRAIN_Y: (6,), idx.TEST_X: (2, 28, 28), idx.TEST_Y: (2,)}
    return {part: pack(rng.integers(0, 10, shape).astype(np.uint8)) for part, shape in sizes.items()}


@pytest.fixture
def tiny(files: Files) -> Any:
    """A data set kind that knows the tiny files by their checksums."""

    class Tiny(Mnist):
        facts: ClassVar[Info] = Info(6, 2, (1, 28, 28), 10)
        source: ClassVar[idx.Source] = idx.Source(
            folders=("mnist", "MNIST/raw"),
            mirrors=(),
            packed={part: md5(gzip.compress(data, mtime=0)) for part, data in files.items()},
            unpacked={part: md5(data) for part, data in files.items()},
        )

    return Tiny()


def write(folder: Path, files: Files, *, packed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, data in files.items():
        name, content = (f"{part}.gz", gzip.compress(data, mtime=0)) if packed else (part, data)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("layout", ["mnist", "MNIST/raw"])
@pytest.mark.parametrize("packed", [True, False])
def test_files_are_found_in_every_layout(layout: str, packed: bool, files: Files, tiny: Any, tmp_path: Path) -> None:
    write(tmp_path / layout, files, packed=packed)
    data = tiny.load(tmp_path)
    assert tiny.available(tmp_path)
    assert data.x.shape == (6, 1, 28, 28)
    np.testing.assert_array_equal(np.round(data.x[:, 0] * 255), idx.parse(files[idx.TRAIN_X]))
    assert data.y.tolist() == list(files[idx.TRAIN_Y][8:])
    assert data.y_test is not None
    assert data.y_test.dtype == np.int64


def test_a_file_compressed_anew_is_known_by_its_content(files: Files, tiny: Any, tmp_path: Path) -> None:
    write(tmp_path / "mnist", files, packed=True)
    (tmp_path / "mnist" / f"{idx.TRAIN_Y}.gz").write_bytes(gzip.compress(files[idx.TRAIN_Y], 1, mtime=5))
    assert len(tiny.load(tmp_path).y) == 6


def test_another_file_under_the_right_name_is_refused(files: Files, tiny: Any, tmp_path: Path) -> None:
    write(tmp_path / "mnist", files, packed=False)
    (tmp_path / "mnist" / idx.TRAIN_Y).write_bytes(pack(np.zeros(6, np.uint8)))
    with pytest.raises(DataError, match="not the published file"):
        tiny.load(tmp_path)


def test_a_cut_archive_is_refused(files: Files, tiny: Any, tmp_path: Path) -> None:
    write(tmp_path / "mnist", files, packed=True)
    path = tmp_path / "mnist" / f"{idx.TRAIN_X}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="is damaged"):
        tiny.load(tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0\x0d\x01\0\0\0\0", b"\0\0\x08\x02\0\0", pack(np.zeros(5, np.uint8))[:-1], b"\0\0\x08\x00"],
    ids=["empty", "floats", "cut header", "cut data", "no dimension"],
)
def test_what_is_no_idx_file_is_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        idx.parse(data)


@pytest.fixture
def mirror(files: Files, tmp_path: Path) -> Iterator[str]:
    """A real HTTP server with the four archives."""
    write(tmp_path / "served" / "good", files, packed=True)
    write(tmp_path / "served" / "wrong", {part: data + b"\0" for part, data in files.items()}, packed=True)
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Nothing: pytest shows enough."""


def test_files_are_downloaded_and_checked(mirror: str, tiny: Any, tmp_path: Path) -> None:
    tiny.fetch(tmp_path / "data", [f"{mirror}good/"])
    assert len(tiny.load(tmp_path / "data").x) == 6


def test_the_next_mirror_serves_when_one_fails_or_lies(mirror: str, tiny: Any, tmp_path: Path) -> None:
    tiny.fetch(tmp_path / "data", ["http://127.0.0.1:9/", f"{mirror}absent/", f"{mirror}wrong/", f"{mirror}good/"])
    assert tiny.available(tmp_path / "data")


def test_a_file_that_is_there_is_not_fetched_again(mirror: str, files: Files, tiny: Any, tmp_path: Path) -> None:
    write(tmp_path / "data" / "MNIST" / "raw", files, packed=False)
    tiny.fetch(tmp_path / "data", ["http://127.0.0.1:9/"])
    assert not (tmp_path / "data" / "mnist").exists()


def test_a_download_that_no_mirror_gives_names_them_all(mirror: str, tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"by hand.*absent/.*wrong/"):
        tiny.fetch(tmp_path / "data", [f"{mirror}absent/", f"{mirror}wrong/"])
    assert not tiny.available(tmp_path / "data")


@pytest.mark.parametrize("source", [idx.MNIST, idx.FASHION_MNIST, idx.KMNIST])
def test_real_sources_name_checksums_and_folders_for_every_part(source: idx.Source) -> None:
    assert set(source.packed) == set(idx.PARTS)
    assert all(len(md5) == 32 for md5 in (*source.packed.values(), *source.unpacked.values()))
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in source.mirrors)


@pytest.mark.shared_data
@pytest.mark.skipif(not (SHARED / "mnist").exists(), reason="the shared MNIST files are not there")
def test_the_real_mnist_is_what_its_facts_say() -> None:
    data = Mnist().load(SHARED)
    assert data.sha256() == Mnist.facts.sha256
    assert data.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.x.mean() == pytest.approx(0.1307, abs=1e-4)
    assert data.x.std(dtype=np.float64) == pytest.approx(0.3081, abs=1e-4)
