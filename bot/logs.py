"""structlog over stdlib logging, so that all libraries come out in one format; secrets are blacked out."""

import logging
import sys
from typing import Any

import structlog


def set_up_logging(level: str, *, secrets: tuple[str, ...] = ()) -> None:
    """Log to standard error: pretty on a terminal, JSON otherwise."""

    def redact(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {name: _without(value, secrets) for name, value in event.items()}

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    on_terminal = sys.stderr.isatty()
    tail: list[Any] = (
        [redact, structlog.dev.ConsoleRenderer()]
        if on_terminal
        else [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The gateway's DEBUG shows interaction tokens; the others are chatty.
    for name in ("discord", "apscheduler", "aiosqlite", "aiohttp.access", "alembic", "sqlalchemy"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _without(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "[secret]")
    return value
