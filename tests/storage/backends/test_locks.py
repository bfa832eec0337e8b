"""File locks: held by one process, refused to others, and always released."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from support.databases import of_sqlite

from storage.backends.locks import RUN, FileLocks, QueuedLock, holding, holding_async, is_shared, lock_for
from storage.errors import LockHeldError
from storage.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path)  # type: ignore[call-arg]


@of_sqlite
def test_a_database_on_this_machine_is_guarded_by_a_file(settings: Settings) -> None:
    with holding(lock_for(settings, RUN)) as lock:
        assert isinstance(lock, FileLocks)
        assert lock.is_held
        lock.require()
        assert (settings.home / "run.lock").is_file()
    assert not lock.is_held


def test_the_second_one_is_refused(settings: Settings) -> None:
    with holding(lock_for(settings, RUN)), pytest.raises(LockHeldError, match="“run” is held"):
        lock_for(settings, RUN).acquire()
    with holding(lock_for(settings, RUN)):
        pass


def test_all_names_or_none(settings: Settings) -> None:
    with holding(FileLocks(settings.home, "b")):
        with pytest.raises(LockHeldError, match="“b”"):
            FileLocks(settings.home, "a", "b").acquire()
        with holding(FileLocks(settings.home, "a")):
            pass


def test_the_lock_of_a_process_that_dies_is_released(settings: Settings) -> None:
    script = (
        "import os, sys, pathlib; from storage.backends.locks import FileLocks\n"
        "FileLocks(pathlib.Path(sys.argv[1]), 'run').acquire(); os._exit(9)"
    )
    died = subprocess.run([sys.executable, "-c", script, str(settings.home)], check=False)
    assert died.returncode == 9
    with holding(lock_for(settings, RUN)):
        pass


async def test_a_lock_can_be_held_in_an_event_loop(settings: Settings) -> None:
    async with holding_async(lock_for(settings, RUN)):
        with pytest.raises(LockHeldError):
            lock_for(settings, RUN).acquire()


async def test_a_queued_lock_waits_for_its_turn(settings: Settings) -> None:
    turn, order = QueuedLock(settings, "pointer"), []

    async def one(name: str) -> None:
        async with turn:
            order.append(name)
            await asyncio.sleep(0)  # the other task runs, and must wait
            order.append(name)

    await asyncio.gather(one("a"), one("b"))
    assert order == ["a", "a", "b", "b"]
    assert not turn.locked()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite+aiosqlite:///a.db", False),
        ("postgresql+asyncpg://a:b@host/db", True),
        ("nonsense", False),
    ],
)
def test_a_database_is_shared_if_it_is_on_a_server(url: str, expected: bool) -> None:
    assert is_shared(url) is expected
