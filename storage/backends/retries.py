"""Retry transactions that a lost connection to a database server interrupted.

A restarting server is away for seconds. `Database` waits for it when a transaction opens; these decorators
repeat a transaction that was under way. A connection to SQLite is never lost, so there they do nothing.
"""

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from storage.errors import DatabaseLostError

RETRY_FOR_S = 15.0
MIN_DELAY_S, MAX_DELAY_S = 0.02, 1.0
P = ParamSpec("P")
T = TypeVar("T")


async def retry(
    attempt: Callable[[], Awaitable[T]],
    is_retryable: Callable[[Exception], bool],
    *,
    errors: tuple[type[Exception], ...],
) -> T:
    """Call `attempt` for up to `RETRY_FOR_S`, with exponential backoff, while its errors are retryable."""
    give_up_at, pause_s = time.monotonic() + RETRY_FOR_S, MIN_DELAY_S
    while True:
        try:
            return await attempt()
        except errors as error:
            if not is_retryable(error) or time.monotonic() + pause_s >= give_up_at:
                raise
        await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311  jitter
        pause_s = min(2 * pause_s, MAX_DELAY_S)


def retried(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Retry an idempotent function, whatever the outcome of the lost transaction."""
    return _retried(function, lambda _: True)


def retried_if_rolled_back(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Retry a function that is not idempotent only if the server rolled its transaction back."""
    return _retried(function, lambda error: isinstance(error, DatabaseLostError) and error.is_rolled_back)


def _retried(
    function: Callable[P, Coroutine[Any, Any, T]], is_retryable: Callable[[Exception], bool]
) -> Callable[P, Coroutine[Any, Any, T]]:
    @functools.wraps(function)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return await retry(lambda: function(*args, **kwargs), is_retryable, errors=(DatabaseLostError,))

    return wrapper
