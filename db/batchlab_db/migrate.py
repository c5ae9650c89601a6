"""Bring a database to the newest schema: `python -m batchlab_db.migrate`, or `upgrade(url)`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, text

from batchlab_db.engine import make_engine, transact
from batchlab_db.settings import Settings, settings

MIGRATION_LOCK = 4_210_417
"""The key of the advisory lock under which one process migrates while others wait."""


def folder() -> Path:
    """Where the migrations lie: inside an installed package, or at the root of a checkout."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "migrations"


def config() -> Config:
    """Alembic's configuration."""
    made = Config()
    made.set_main_option("script_location", str(folder()).replace("%", "%%"))
    return made


def upgrade(url: str | None = None, *, patience: float = 60.0) -> None:
    """Migrate the database at `url` (default: that of the settings) in one transaction; two starters take turns."""
    chosen = settings() if url is None else Settings(database_url=SecretStr(url))
    engine = make_engine(chosen, role="migrate")
    try:
        transact(engine, _upgrade, patience=patience)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")


def head() -> str:
    """The newest revision this code knows."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    if found is None:
        raise FileNotFoundError(f"no migrations in {folder()}")
    return found


def current(engine: Engine) -> str | None:
    """The revision the database is at; None where it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def behind(engine: Engine) -> bool:
    """Whether the database was never migrated, or is at a revision before the newest that this code knows.

    One that is ahead of the code is not behind: the newest schema serves the code of the release before it.
    (Nothing was released before 0008, which does not.)
    """
    known = [revision.revision for revision in ScriptDirectory.from_config(config()).walk_revisions()]
    at = current(engine)
    return at is None or at in known[1:]


if __name__ == "__main__":
    upgrade()
