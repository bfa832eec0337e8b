"""Session-level advisory locks of PostgreSQL, each on its own connection.

The server releases a session's advisory locks when the session ends: the process died, the connection broke
or the server restarted. To free the locks of a frozen or disconnected machine as well, the holder sends a
heartbeat every third of its lease, and the server ends a session that was idle for longer than the lease. The
holder counts its lease from the moment it sent the last heartbeat that was answered, so it considers the lock
lost before another process can acquire it.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog
from sqlalchemy import URL, make_url

from storage.errors import DatabaseUnavailableError, DatabaseUrlError, LockHeldError, LockLostError

LEASE_S = 5.0
SERVER_GRACE_S = 1.0  # the server ends the session this long after the holder gives it up
CONNECT_TIMEOUT_S = 5.0
RETRY_S = 0.5  # between two attempts to reacquire
REACQUIRE_TIMEOUT_S = 10.0  # how long `require` waits
MAX_NAME = 63  # bytes of an application name
T = TypeVar("T")
log = structlog.stdlib.get_logger(__name__)

HOLDER = """
    SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND ((classid::bigint << 32) | objid::bigint) = $1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class AdvisoryLock:
    """Names locked by one PostgreSQL session, which a thread with its own event loop keeps alive.

    After a loss, the lock is reacquired while no other process holds it, if `reacquires` is set.
    """

    def __init__(self, url: str, *names: str, lease_s: float = LEASE_S, reacquires: bool = True) -> None:
        self._url, self._names = make_url(url), names
        self._lease_s, self._reacquires = lease_s, reacquires
        # Unique per object: an old session of ours may still hold the lock after we gave it up.
        self._application = f"fillbot {process_name()} {secrets.token_hex(3)}"[-MAX_NAME:]
        self._connection: Any = None  # asyncpg's
        self._confirmed_at = 0.0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost_listeners: list[Callable[[], object]] = []
        self.taken_by: LockHeldError | None = None  # set when another process took the lock after a loss

    @property
    def is_held(self) -> bool:
        """Whether the lock is held now."""
        return self._connection is not None and time.monotonic() < self._confirmed_at + self._lease_s

    def on_lost(self, listener: Callable[[], object]) -> None:
        """Call `listener`, in another thread, after each loss and when another process took the lock."""
        self._lost_listeners.append(listener)

    def lost_event(self) -> asyncio.Event:
        """Return an event of the running loop that is set whenever `on_lost` would call a listener."""
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        self.on_lost(lambda: loop.call_soon_threadsafe(event.set))
        return event

    def acquire(self) -> None:
        """Acquire the lock without waiting for its holder. Blocking.

        Raises:
            LockHeldError: Another process holds one of the names.
            DatabaseUnavailableError: The server cannot be reached.
            DatabaseUrlError: The URL is invalid, or asyncpg is missing.
        """
        if self._thread is not None:
            raise LockHeldError(self._names[0], self._application)
        loop = self._loop = asyncio.new_event_loop()
        self.taken_by = None
        self._thread = threading.Thread(target=loop.run_forever, name="lock", daemon=True)
        self._thread.start()
        try:
            self._call(self._open_session())
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Release the lock and end the session. Blocking, idempotent."""
        loop, thread, self._thread = self._loop, self._thread, None
        if loop is None or thread is None:
            return
        try:
            self._call(self._close_session())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            self._loop = None

    def require(self) -> None:
        """Check that the lock is held; wait up to `REACQUIRE_TIMEOUT_S` for a lost one. Blocking.

        Raises:
            LockLostError: The lock is not held.
        """
        give_up_at = time.monotonic() + REACQUIRE_TIMEOUT_S
        while not self.is_held:
            if self.taken_by is not None or not self._reacquires or time.monotonic() > give_up_at:
                raise LockLostError(self._names[0], self.taken_by.holder if self.taken_by else None)
            time.sleep(0.05)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None  # noqa: S101  `acquire` was called
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _acquire(self) -> None:
        confirmed_at = time.monotonic()
        connection = await _connect(self._url, self._application, self._lease_s + SERVER_GRACE_S)
        try:
            with _translated(self._url):
                for name in self._names:
                    confirmed_at = time.monotonic()
                    await _lock(connection, name)
        except BaseException:
            connection.terminate()
            raise
        self._connection, self._confirmed_at = connection, confirmed_at

    async def _open_session(self) -> None:
        await self._acquire()
        self._keeper = asyncio.create_task(self._maintain())

    async def _close_session(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                with _translated(self._url):
                    await connection.close(timeout=CONNECT_TIMEOUT_S)
            except DatabaseUnavailableError:
                connection.terminate()

    async def _maintain(self) -> None:
        while True:
            await self._send_heartbeats()
            connection, self._connection = self._connection, None
            connection.terminate()
            log.warning("lock.lost", lock=self._names)
            self._notify()
            if not self._reacquires or not await self._reacquire():
                return
            log.info("lock.reacquired", lock=self._names)

    async def _send_heartbeats(self) -> None:
        connection, is_over = self._connection, asyncio.Event()
        connection.add_termination_listener(lambda _connection: is_over.set())
        beat_s = self._lease_s / 3
        while not connection.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(beat_s):
                    await is_over.wait()
                return
            confirmed_at = time.monotonic()
            try:
                with _translated(self._url):
                    await connection.fetchval("SELECT 1", timeout=2 * beat_s)
            except DatabaseUnavailableError:
                return
            except Exception:
                log.exception("lock.heartbeat_failed", lock=self._names)
                return  # any failure counts as a loss
            self._confirmed_at = confirmed_at

    async def _reacquire(self) -> bool:
        """Reacquire the lock. False: another process has it."""
        while True:  # not by tenacity: each kind of failure has its own consequence
            try:
                await self._acquire()
            except LockHeldError as held:
                if held.application != self._application:
                    self.taken_by = held
                    self._notify()
                    return False
            except DatabaseUnavailableError:
                pass
            except Exception:
                log.exception("lock.reacquire_failed", lock=self._names)
            else:
                return True
            await asyncio.sleep(RETRY_S)

    def _notify(self) -> None:
        for listener in self._lost_listeners:
            listener()


def process_name() -> str:
    """Return HOST:PID of this process."""
    return f"{socket.gethostname().split('.')[0][:40]}:{os.getpid()}"


def lock_key(name: str) -> int:
    """Return the signed 64-bit key of a lock's name."""
    digest = hashlib.blake2b(f"fillbot:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


async def _connect(url: URL, application: str, silence_s: float) -> Any:
    """Connect; the server ends the session after `silence_s` without a statement."""
    try:
        import asyncpg
    except ImportError as error:
        raise DatabaseUrlError("asyncpg is missing: pip install 'fillbot[cluster]'") from error
    _, arguments = url.get_dialect()().create_connect_args(url)
    for name in ("cache_size", "name_func"):  # options of SQLAlchemy's dialect
        arguments.pop(f"prepared_statement_{name}", None)
    with _translated(url):
        return await asyncpg.connect(
            **{**arguments, "timeout": CONNECT_TIMEOUT_S, "statement_cache_size": 0},
            server_settings={
                "application_name": application,
                "idle_session_timeout": f"{silence_s * 1000:.0f}",
            },
        )


async def _lock(connection: Any, name: str) -> None:
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock_key(name)):
        raise LockHeldError(name, await connection.fetchval(HOLDER, lock_key(name)))


@contextlib.contextmanager
def _translated(url: URL) -> Any:
    import asyncpg

    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise DatabaseUnavailableError(repr(url), reason) from error
