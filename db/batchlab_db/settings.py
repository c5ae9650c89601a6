"""Settings of a process: environment variables `BATCHLAB_*`, each also as `BATCHLAB_*_FILE` naming a file."""

import os
from functools import cache
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def read_file_variants(environ: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """Values of the variables given as `BATCHLAB_NAME_FILE`: the file's text without the closing newline.

    Raises ValueError, with the variable's name, where there is no such file.
    """
    return {
        key.removesuffix("_FILE").removeprefix("BATCHLAB_").lower(): _text(key, Path(path))
        for key, path in environ.items()
        if key.startswith("BATCHLAB_") and key.endswith("_FILE")
    }


def _text(variable: str, file: Path) -> str:
    try:
        return file.read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds no text"
        raise ValueError(f"{variable}: {file} cannot be read ({why})") from error


class Settings(BaseSettings):
    """What a process of the lab is told. Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="BATCHLAB_", extra="ignore", use_attribute_docstrings=True)

    home: Path = Field(default_factory=lambda: user_data_path("batchlab"))
    """The one directory under which an embedded lab keeps everything."""
    ballast_bytes: int = 512 * 2**20
    """Size of the file HOME/ballast, which an embedded lab keeps to be deleted when the disk is full; 0: none."""
    data: Path | None = None
    """The data folder: where mnist and its like are looked for and downloaded to (default: HOME/data)."""
    database_url: SecretStr = SecretStr("")
    """postgresql+psycopg://…; a password may be left out and given as `database_password` (or its `_FILE`)."""
    database_password: SecretStr | None = None
    broker_url: SecretStr = SecretStr("")
    """redis://… or redis+socket://…; likewise `broker_password`."""
    broker_password: SecretStr | None = None
    token: SecretStr | None = None
    """Guards every endpoint but liveness when it is set."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, beside the loopback ones, under which the server may be addressed."""

    slice_seconds: float = 20.0
    block_seconds: float = 1.0
    lease_seconds: float = 30.0
    renew_seconds: float = 5.0
    margin_seconds: float = 5.0
    """How long before its lease ends a holder stops by its own clock."""
    stall_seconds: float = 300.0
    heartbeat_seconds: float = 5.0
    alive_seconds: float = 30.0
    """A worker whose heartbeat is older is not alive."""
    reconcile_seconds: float = 5.0
    resend_seconds: float = 10.0
    max_losses: int = 3
    checkpoint_bytes_inline: int = 1_000_000
    """Up to this size each block and its checkpoint are one transaction."""
    recycle_slices: int = 500
    weights_url: SecretStr | None = None
    """A folder for large kept weights, outside the database: a URL of any kind that fsspec knows (file:, s3:, gs:, with
    the package of that store installed), the same for every worker and the api."""
    weights_bytes_inline: int = 16 * 2**20
    """Up to this size kept weights stay in the database even so."""

    max_cells: int = 10_000
    max_updates: int = 2_000_000_000
    max_body_bytes: int = 256 * 1024
    max_upload_bytes: int = 256 * 2**20
    """Of a file that is added as a data set."""
    max_data_bytes: int = 512 * 2**20
    """Of its arrays, inflated."""
    max_points: int = 500_000
    max_streams: int = 200
    free_bytes_refuse: int = 2_000_000_000
    """Below this much free space, or below `free_share_refuse`, new experiments are refused with 507."""
    free_share_refuse: float = 0.10
    """A part of the database's volume: the gate is at whichever of the two is more."""
    free_bytes_pause: int = 1_000_000_000
    """Below this much free space, or below `free_share_pause`, workers stop claiming."""
    free_share_pause: float = 0.05
    database_volume: Path | None = None
    """A path on the database's volume, where this process can see it: the gates above watch it."""

    @model_validator(mode="before")
    @classmethod
    def _files(cls, values: dict[str, object]) -> dict[str, object]:
        return {**read_file_variants(os.environ), **values}

    @field_validator("weights_url")
    @classmethod
    def _of_a_known_store(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            protocol, colon, _ = url.get_secret_value().partition("://")
            if not colon:
                raise ValueError("is no URL: begin it with the kind of store, as in file:///var/lib/batchlab/weights")
            _must_have(protocol)
        return url

    @property
    def data_folder(self) -> Path:
        return self.data or self.home / "data"

    @property
    def user_data_folder(self) -> Path:
        """Where a worker keeps what users added: below HOME, since `data` may be somebody else's."""
        return self.home / "data"


def _must_have(protocol: str) -> None:
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        raise ValueError(f"has a kind of store that is not there ({error}): install its package") from error


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
