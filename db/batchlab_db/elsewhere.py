"""Large kept weights outside the database: an object for each upload at a URL of any kind that fsspec knows.

The object is there before the row that refers to it: a crash between them leaves an object that nobody refers to, and
`sweep` removes that once it is older than any upload under way can be. Every upload has a name of its own, the SHA-256
and a random part, so that what is removed can never be what somebody has just written again.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import fsspec
from sqlalchemy import Connection, Engine, text

from batchlab_db import facts, locks
from batchlab_db.engine import transact
from batchlab_db.settings import Settings

if TYPE_CHECKING:
    from batchlab_db.kept import Kept

CHUNK = 2**20
"""Bytes read at once."""
GRACE = timedelta(hours=1)
"""An object without a row is removed when it is older: no upload and its transaction take that long."""
NAME = re.compile(r"^[0-9a-f]{64}\.[0-9a-f]{16}\.safetensors$")
"""Objects of other names are not ours."""
_REFERRED = text("SELECT url FROM weights WHERE url = ANY(:urls)")


@dataclass(frozen=True)
class Elsewhere:
    """Where large weights go, and from which size on (bytes)."""

    folder: str
    above: int

    @classmethod
    def of(cls, settings: Settings) -> "Elsewhere | None":
        """As the settings have it; None where all weights stay in the database."""
        url = settings.weights_url
        return None if url is None else cls(url.get_secret_value().rstrip("/"), settings.weights_bytes_inline)

    def place(self, kept: "Sequence[Kept]") -> "tuple[Kept, ...]":
        """Upload the large ones, each content once; they know where they are then."""
        urls = {one.sha256: "" for one in kept if len(one.data) > self.above}
        for one in kept:
            if urls.get(one.sha256) == "":
                urls[one.sha256] = self._upload(one.sha256, one.data)
        return tuple(replace(one, url=urls.get(one.sha256)) for one in kept)

    def _upload(self, sha256: str, data: bytes) -> str:
        url = f"{self.folder}/{sha256}.{secrets.token_hex(8)}.safetensors"
        files, path = _at(url)
        files.makedirs(files._parent(path), exist_ok=True)
        files.pipe_file(path, data)
        return url

    def forgotten(self, engine: Engine, grace: timedelta = GRACE) -> int:
        """Remove the objects that no row refers to; returns how many those were."""
        files, folder = _at(self.folder)
        if not files.exists(folder):
            return 0
        names = {path.rsplit("/", 1)[-1]: path for path in files.ls(folder, detail=False)}
        ours = {f"{self.folder}/{name}": path for name, path in names.items() if NAME.match(name)}
        oldest = datetime.now(UTC) - grace
        old = {url: path for url, path in ours.items() if _modified(files, path) <= oldest}
        with engine.connect() as connection:
            referred = set(connection.scalars(_REFERRED, {"urls": list(old)}))
        gone = [path for url, path in old.items() if url not in referred]
        for path in gone:
            files.rm_file(path)
        return len(gone)


def chunks(url: str) -> Iterator[bytes]:
    """An object, part by part; FileNotFoundError where it is gone."""
    files, path = _at(url)
    with files.open(path, "rb") as file:
        while part := file.read(CHUNK):
            yield part


def remove(urls: Sequence[str]) -> None:
    """Remove objects whose rows are gone for good; one that is gone already is none the worse."""
    for url in urls:
        files, path = _at(url)
        if files.exists(path):
            files.rm_file(path)


def sweep(engine: Engine, settings: Settings) -> int:
    """Remove what nobody refers to, once in `GRACE` in the whole lab; returns how many objects those were."""
    place = Elsewhere.of(settings)
    if place is None or not transact(engine, _is_due):
        return 0
    return place.forgotten(engine)


def _is_due(connection: Connection) -> bool:
    if not locks.chore(connection, "sweep"):
        return False
    last = facts.get(connection, "swept")
    if last is not None and last.age < GRACE.total_seconds():
        return False
    facts.put(connection, "swept")
    return True


def _at(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    return found


def _modified(files: Any, path: str) -> datetime:
    """When an object was written, by its store's clock (UTC where that does not say)."""
    found: datetime = files.modified(path)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
