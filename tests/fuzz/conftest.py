"""The same homes as the tests of the bot have."""

import shutil
from pathlib import Path

import pytest
from homes import write_versions


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny versions; not to be written to."""
    return write_versions(tmp_path_factory.mktemp("registry") / "models")


@pytest.fixture
def home(tmp_path: Path, models_folder: Path) -> Path:
    """A home with those versions."""
    shutil.copytree(models_folder, tmp_path / "home" / "models")
    return tmp_path / "home"
