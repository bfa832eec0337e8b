"""Tiny model versions, and a running bot for each module that wants one."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from support.people import Person
from support.sandbox_faults import faults_of
from support.variables import is_setting
from support.wire import Pretend, Wire, wired

from bot.commands import context
from bot.subprocesses import training_process
from bot.voting import acknowledgement

# Read when torch is imported: with tiny models one thread is as fast, and weights are the same everywhere.
os.environ["OMP_NUM_THREADS"] = "1"

# What a developer has set must not reach the settings of a test.
for name in filter(is_setting, [*os.environ]):
    del os.environ[name]

# The edit of a footer would come between the events that tests wait for.
acknowledgement.WAIT_S = 3600.0

# Plain tracebacks: the pretty ones, with local variables, take a second each.
PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[structlog.processors.add_log_level, PLAIN])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A running bot that the tests of a module share."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with wired(home) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def ann(wire: Wire) -> AsyncIterator[Person]:
    """A new member of the guild, for this test alone."""
    async with wire.member() as person:
        yield person


@pytest_asyncio.fixture(loop_scope="module")
async def bob(wire: Wire) -> AsyncIterator[Person]:
    """Another one."""
    async with wire.member() as person:
        yield person


@pytest.fixture
def lost_answers(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bot retries soon, and faults end with the test."""
    monkeypatch.setattr(context, "RETRY_DELAYS_S", (0.05, 0.05))
    yield
    faults_of(wire.sandbox).clear()


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let the training process be a few lines of Python."""

    def become(*lines: str) -> None:
        code = "import json, os, signal, sys, time\n" + "\n".join(lines)
        monkeypatch.setattr(training_process, "PROGRAM", (sys.executable, "-S", "-u", "-c", code))

    return become
