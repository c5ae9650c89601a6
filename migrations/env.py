"""Alembic's entry: on the connection that it is given, else on the database of the settings."""

from alembic import context
from batchlab_db import data_tables  # noqa: F401 - its tables join those of Base
from batchlab_db.engine import make_engine
from batchlab_db.settings import settings
from batchlab_db.tables import Base
from sqlalchemy import Connection


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    with make_engine(settings(), role="migrate").begin() as connection:
        migrate(connection)


main()
