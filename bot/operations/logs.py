"""structlog over the standard library's logging, one format for all libraries; secrets are redacted."""

import logging
import sys
from typing import Any

import structlog


def set_up_logging(level: str, *, secrets: tuple[str, ...] = ()) -> None:
    """Log to standard error: for reading on a terminal, as JSON otherwise."""

    def redact(_logger: Any, _method: str, line: Any) -> str:
        text = str(line)
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        return text

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        # A plain traceback: the pretty one shows local variables, the token among them.
        tail: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        tail = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail, redact],
        )
    )
    logging.raiseExceptions = False  # the report of a line that cannot be written would print it unredacted
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The gateway's DEBUG shows interaction tokens; the others are chatty.
    for name in ("discord", "apscheduler", "aiosqlite", "aiohttp.access", "alembic", "sqlalchemy"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
