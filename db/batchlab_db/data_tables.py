"""The tables of data sets that users add: contents by SHA-256, in parts, and the names that point to them."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from batchlab_db.tables import Base


class DataFile(Base):
    """The content of a data set that a user added (safetensors); several names may share it."""

    __tablename__ = "data_files"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    bytes: Mapped[int]
    rows: Mapped[int]
    test_rows: Mapped[int]
    shape: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    """Of a row."""
    classes: Mapped[int | None]
    """Null: regression."""


class DataPart(Base):
    """A stretch of a data file's bytes."""

    __tablename__ = "data_parts"

    sha256: Mapped[str] = mapped_column(ForeignKey("data_files.sha256", ondelete="CASCADE"), primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes]


class DataName(Base):
    """The name under which a data file is known."""

    __tablename__ = "data_names"

    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("data_files.sha256"), index=True)
    request: Mapped[str]
    """Drawn by whoever added it: tells a write that is run again from another one."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
