"""Retry transactions that a lost connection to a database server interrupted.

A restarting server is away for seconds. `Database` waits for it when a transaction opens; these decorators
repeat a transaction that was under way. A connection to SQLite is never lost, so there they do nothing.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from tenacity import AsyncRetrying, retry_if_exception, stop_before_delay, wait_exponential
from tenacity.wait import wait_random_exponential

from storage.errors import DatabaseLostError

GIVE_UP = stop_before_delay(15.0)
# From 20 ms to 1 s, half of it random, so that processes do not reconnect in step.
BACKOFF = wait_exponential(multiplier=0.01, max=0.5) + wait_random_exponential(multiplier=0.01, max=0.5)
F = TypeVar("F", bound=Callable[..., Any])


def retrying(is_retryable: Callable[[BaseException], bool]) -> AsyncRetrying:
    """Return a retrier for one call of an async function, which retries while errors are retryable."""
    return AsyncRetrying(retry=retry_if_exception(is_retryable), stop=GIVE_UP, wait=BACKOFF, reraise=True)


def retried(function: F) -> F:
    """Retry an idempotent async function, whatever the outcome of the lost transaction."""
    return _wrapped(function, lambda error: isinstance(error, DatabaseLostError))


def retried_if_rolled_back(function: F) -> F:
    """Retry an async function that is not idempotent only if the server rolled its transaction back."""
    return _wrapped(function, lambda error: isinstance(error, DatabaseLostError) and error.is_rolled_back)


def _wrapped(function: F, is_retryable: Callable[[BaseException], bool]) -> F:
    again = retrying(is_retryable).wraps(function)

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        # The first try goes without tenacity, which costs 50 µs a call; a query takes about ten calls.
        try:
            return await function(*args, **kwargs)
        except DatabaseLostError as error:
            if not is_retryable(error):
                raise
        return await again(*args, **kwargs)

    return cast(F, call)
