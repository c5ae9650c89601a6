"""Verified downloads into the data folder, from the first mirror that gives the published file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchlab.errors import DataError


def download(folder: Path, name: str, md5: str, mirrors: Sequence[str]) -> None:
    """Put the file `name` with this MD5 into `folder`; DataError when no mirror (the address of a folder) gives it."""
    import pooch

    faults = []
    for mirror in mirrors:
        try:
            pooch.retrieve(mirror + name, f"md5:{md5}", fname=name, path=folder, downloader=_http(pooch))
            return
        except (OSError, ValueError) as error:  # no route, a refusal, or another file than the published one
            faults.append(f"{mirror + name}: {error}")
    raise DataError(f"cannot download {name}: put it in {folder} by hand. Tried " + "; ".join(faults))


def _http(pooch: Any) -> Any:
    return pooch.HTTPDownloader(timeout=30)
