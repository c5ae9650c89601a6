"""Small things that keep a lab in order: migrations, and whether workers live."""

import socket
import tempfile
from pathlib import Path

from batchlab_db.settings import Settings, settings
from pydantic import SecretStr

from batchlab_lab.environment import need_database
from batchlab_lab.errors import LabError


def migrate() -> None:
    """Bring the database of the settings, or else the embedded one, to the newest schema."""
    from batchlab_db import migrate as migrations
    from batchlab_db.engine import database_url

    from batchlab_lab.backup import database

    with database(settings()) as found:
        migrations.upgrade(database_url(found).render_as_string(hide_password=False))


def check_migrations() -> None:
    """Raise LabError unless the migrations lead to exactly the tables of the code, tried on an empty database."""
    from batchlab_lab.servers import Postgres

    with tempfile.TemporaryDirectory(prefix="batchlab-") as folder, Postgres(Path(folder) / "postgres") as server:
        _compare(Settings(database_url=SecretStr(server.url)))


def _compare(chosen: Settings) -> None:
    from alembic import command
    from alembic.util.exc import CommandError
    from batchlab_db import migrate as migrations
    from batchlab_db.engine import make_engine

    migrations.upgrade(chosen.database_url.get_secret_value())
    config = migrations.config()
    engine = make_engine(chosen, role="migrate")
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.check(config)
    except CommandError as error:
        raise LabError(f"migrations and tables differ: {error}") from error
    finally:
        engine.dispose()


def living_workers() -> int:
    """How many worker processes of this machine have been heard of lately."""
    from batchlab_db import workers
    from batchlab_db.engine import make_engine

    engine = make_engine(need_database(settings()), role="worker")
    with engine.connect() as connection:
        found = workers.living(connection, settings().alive_seconds)
    engine.dispose()
    return sum(row["machine"] == socket.gethostname() for row in found)
