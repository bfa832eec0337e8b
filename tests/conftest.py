"""What every test relies on: no hub, quiet tokenizers, and a real database on request."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

# Both are read when the libraries are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from storage.database import Database

# The same examples every time, and no deadline: the machines that run this are slow and shared.
settings.register_profile("fillbot", deadline=None, derandomize=True, max_examples=60, database=None)
settings.load_profile("fillbot")


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'fillbot.db'}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()
