"""Logs: one JSON object a line on standard error, for the house's own events and the libraries' alike."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRETS = (
    (re.compile(r"(?<=://)[^\s/@]*:[^\s@]*(?=@)"), "***"),
    (re.compile(r"(?i)((?:password|passwd|token|secret)=)[^\s&'\"]+"), r"\1***"),
    (re.compile(r"(?i)(bearer\s+)\S+"), r"\1***"),
)


def redact(text: str) -> str:
    """`text` without passwords of URLs and the like: Celery and its libraries print the broker's URL."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def redact_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor that redacts every text of an event."""
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def configure(level: int = logging.INFO) -> None:
    """Send all logging of this process through one formatter."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    after: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact_values,
        structlog.processors.JSONRenderer(default=str),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=after))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)  # "Task received" on every wake-up
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
