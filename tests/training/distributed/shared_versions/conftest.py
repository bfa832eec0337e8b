"""A folder that machines share."""

from pathlib import Path

import pytest
from support.shared_machines import Machine, machine


@pytest.fixture
def models_url(tmp_path: Path) -> str:
    folder = tmp_path / "shared"
    folder.mkdir()
    return str(folder)


@pytest.fixture
def machine_of(tmp_path: Path, models_url: str, database_url: str) -> Machine:
    return lambda name: machine(tmp_path / name, models_url, database_url)


@pytest.fixture
def crash_step() -> int:
    return 3  # 1 is at every call
