"""Locks on PostgreSQL: one holder among processes and hosts, who notices when the session is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

import pytest
from cluster.postgres import Postgres, postgres_server
from cluster.sessions import end_sessions

from storage.backends.advisory_locks import AdvisoryLock, process_name
from storage.backends.locks import RUN, QueuedLock, holding, lock_for
from storage.errors import DatabaseUnavailableError, LockHeldError, LockLostError
from storage.settings import Settings

HOLD = (
    "import structlog, sys; from storage.backends.advisory_locks import AdvisoryLock\n"
    "structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))\n"
    "lock = AdvisoryLock(sys.argv[1], *sys.argv[3:], lease_s=float(sys.argv[2])); lock.acquire()\n"
    "print(lock.is_held, flush=True); sys.stdin.readline(); print(lock.is_held, flush=True)"
)


class Holder:
    """Another process that holds locks."""

    def __init__(self, url: str, *names: str, lease_s: float = 2.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, url, str(lease_s), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.tells() == "True"

    def tells(self) -> str:
        out: IO[str] | None = self.process.stdout
        assert out is not None
        return out.readline().strip()

    def asked(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.tells()


@pytest.fixture
def hold(database_url: str) -> Iterator[Callable[..., Holder]]:
    holders: list[Holder] = []

    def begin(*names: str, **options: float) -> Holder:
        holders.append(Holder(database_url, *names, **options))
        return holders[-1]

    yield begin
    for holder in holders:
        holder.process.kill()
        holder.process.communicate()


def until(is_so: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)  # polled: locks of other processes have no event


def can_be_had(url: str, *names: str) -> bool:
    lock = AdvisoryLock(url, *names)
    try:
        lock.acquire()
    except LockHeldError:
        return False
    lock.release()
    return True


def test_another_process_is_refused_and_told_who_has_it(
    database_url: str, hold: Callable[..., Holder]
) -> None:
    other = hold("run")
    with pytest.raises(LockHeldError, match=f":{other.process.pid}") as refused:
        AdvisoryLock(database_url, "leader", "run").acquire()
    assert refused.value.holder == process_name().replace(f":{os.getpid()}", f":{other.process.pid}")
    assert can_be_had(database_url, "leader"), "all or none"
    other.process.kill()
    until(lambda: can_be_had(database_url, "run"))


def test_databases_do_not_know_of_each_other(postgres: Postgres, database_url: str) -> None:
    with holding(AdvisoryLock(database_url, "run")):
        assert can_be_had(postgres.new_database(), "run")
        assert not can_be_had(database_url, "run")
    assert can_be_had(database_url, "run")


def test_a_session_that_was_ended_comes_back_while_nobody_else_has_the_lock(database_url: str) -> None:
    lost = threading.Event()
    with holding(AdvisoryLock(database_url, "run")) as lock:
        assert isinstance(lock, AdvisoryLock)
        lock.on_lost(lost.set)
        assert end_sessions(database_url) == 1
        assert lost.wait(3)
        lock.require()
        assert lock.is_held
        assert not can_be_had(database_url, "run")


def test_a_lock_that_somebody_else_took_is_lost(database_url: str) -> None:
    lock, thief = AdvisoryLock(database_url, "run"), AdvisoryLock(database_url, "run")

    def steal() -> None:  # in the moment in which nobody has it
        if lock.taken_by is None:
            thief.acquire()

    with holding(lock):
        lock.on_lost(steal)
        end_sessions(database_url)
        until(lambda: lock.taken_by is not None)
        with pytest.raises(LockLostError, match=f"{process_name()} has it now"):
            lock.require()
    thief.release()


def test_who_does_not_want_it_back_has_lost_it_at_once(database_url: str) -> None:
    with holding(AdvisoryLock(database_url, "leader", reacquires=False)) as lock:
        end_sessions(database_url)
        until(lambda: not lock.is_held)
        with pytest.raises(LockLostError):
            lock.require()


def test_a_holder_that_froze_loses_it_and_knows_when_it_wakes(
    database_url: str, hold: Callable[..., Holder]
) -> None:
    other = hold("leader", lease_s=1.5)
    other.process.send_signal(signal.SIGSTOP)
    assert not can_be_had(database_url, "leader")
    with pytest.raises(LockHeldError):
        AdvisoryLock(database_url, "leader").acquire()
    mine = AdvisoryLock(database_url, "leader")

    def taken() -> bool:
        try:
            mine.acquire()
        except LockHeldError:
            return False
        return True

    until(taken)
    other.process.send_signal(signal.SIGCONT)
    assert other.asked() == "False"
    mine.release()


def test_it_outlasts_a_restart_of_the_server() -> None:
    with postgres_server() as server:
        url = server.new_database()
        with holding(AdvisoryLock(url, "run")) as lock:
            server.stop("immediate")
            until(lambda: not lock.is_held, timeout_s=3)
            with pytest.raises(DatabaseUnavailableError):
                AdvisoryLock(url, "leader").acquire()
            server.start()
            lock.require()
            assert not can_be_had(url, "run")


def test_settings_say_which_kind_it_is(database_url: str) -> None:
    settings = Settings(_env_file=None, database_url=database_url)  # type: ignore[call-arg]
    with holding(lock_for(settings, RUN)):
        assert not can_be_had(database_url, RUN)


async def test_turns_are_taken_among_processes(database_url: str) -> None:
    settings = Settings(_env_file=None, database_url=database_url)  # type: ignore[call-arg]
    here_, there, order = QueuedLock(settings, "pointer"), QueuedLock(settings, "pointer"), list[str]()

    async def one(turn: QueuedLock, name: str) -> None:
        async with turn:
            order.append(name)
            await asyncio.sleep(0.3)  # real time, in which the other would get its turn too early
            order.append(name)

    await asyncio.gather(one(here_, "a"), one(there, "b"))
    assert order in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
