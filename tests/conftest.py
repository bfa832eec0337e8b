"""What every test relies on: no hub, quiet tokenizers; a real database, or a home with models, on request."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support.databases import TEMPLATE, dropped_after, url_for, url_of_home
from support.homes import write_compact_version, write_versions
from support.variables import ALLOW_WEAK_BASE

os.environ[ALLOW_WEAK_BASE] = "true"
# Both are read when the libraries are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import training  # noqa: F401  before onnxruntime, which would report from every test
from storage.database import Database
from storage.settings import Settings

pytest_plugins = ("contract.plugin", "pytester")
pytest.register_assert_rewrite("support.shared_stories")  # its asserts are those of several tests

if TEMPLATE:  # a home that names no database has one on the server
    Settings.url = property(lambda found: found.database_url or url_of_home(found.home))  # type: ignore[method-assign]

# The same examples every time, and no deadline: the machines that run this are slow and shared.
settings.register_profile("fillbot", deadline=None, derandomize=True, max_examples=60, database=None)
settings.load_profile("fillbot")


@pytest.fixture(autouse=True)
def databases_of_its_own() -> Iterator[None]:
    with dropped_after():
        yield


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return url_for(tmp_path / "fillbot.db")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of tiny versions; not to be written to."""
    return write_versions(tmp_path_factory.mktemp("registry") / "models")


@pytest.fixture
def home(tmp_path: Path, models_folder: Path) -> Path:
    """A home with those versions."""
    shutil.copytree(models_folder, tmp_path / "home" / "models")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def compact_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose v0001 is a compact DistilBERT after some seconds of training; not to be written to."""
    return write_compact_version(tmp_path_factory.mktemp("compact") / "models")
