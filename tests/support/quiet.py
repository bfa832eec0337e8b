"""The log lines of bots that run inside a test program, kept apart from what the program itself says."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TextIO

import structlog


@contextlib.contextmanager
def made_quiet(log: TextIO) -> Iterator[None]:
    """Send every line of ours and of the libraries to `log`."""
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    root.addHandler(handler)
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(log),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        root.removeHandler(handler)
        structlog.reset_defaults()
