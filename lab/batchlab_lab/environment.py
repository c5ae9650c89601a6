"""Whether the environment tells this process what it needs to know; faults are told by the variable's name."""

import re
from urllib.parse import urlsplit

from batchlab_db.engine import database_url
from batchlab_db.settings import Settings
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ArgumentError

from batchlab_lab.errors import LabError

DRIVER = "postgresql+psycopg"
DATABASE = "write it as postgresql+psycopg://USER@HOST/DATABASE"
BROKER = "write it as redis://HOST:6379/0, rediss:// or redis+socket://"
SCHEMES = ("redis", "rediss", "redis+socket")


def faults(error: ValidationError | SettingsError) -> str:
    """What is wrong with the settings: one line a variable, and no value, which may be a secret."""
    if isinstance(error, SettingsError):  # what holds a list and is no JSON
        found = re.search(r'field "(\w+)"', str(error))
        return f'{_variable(found[1]) if found else "the environment"} must be JSON, as in ["lab.example.org"]'
    return "\n".join(_fault(fault["loc"], fault["msg"]) for fault in error.errors())


def _fault(place: tuple[int | str, ...], words: str) -> str:
    if not place:
        return words.removeprefix("Value error, ")
    return f"{_variable(str(place[0]))}: {words[0].lower()}{words[1:]}"


def _variable(field: str) -> str:
    return f"BATCHLAB_{field.upper()}"


def need_servers(settings: Settings) -> Settings:
    """The settings themselves; raises LabError unless they say how the database and the broker are reached."""
    need_database(settings)
    url = settings.broker_url.get_secret_value()
    if urlsplit(url).scheme not in SCHEMES:
        raise LabError(_address("BATCHLAB_BROKER_URL", url, BROKER))
    return settings


def need_database(settings: Settings) -> Settings:
    """The settings themselves; raises LabError unless they say how the database is reached."""
    try:
        good = database_url(settings).drivername == DRIVER
    except (ArgumentError, ValueError):
        good = False
    if not good:
        raise LabError(_address("BATCHLAB_DATABASE_URL", settings.database_url.get_secret_value(), DATABASE))
    return settings


def _address(variable: str, url: str, remedy: str) -> str:
    return f"{variable} is {'no address that can be used' if url else 'not set'}: {remedy}"
