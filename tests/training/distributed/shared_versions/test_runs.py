"""Runs on machines that share their versions, where they need not train."""

from pathlib import Path

import pytest
from support.shared_machines import database_next_to

from training.pipeline import run
from training.pipeline.run import run_init, run_night
from training.progress import NoProgress
from training.registry.errors import SharedStorageUnreachableError
from training.registry.versions import Registry
from training.settings import Settings


def settings_of(home: Path, models_url: str, base: Path) -> Settings:
    settings = Settings(
        home=home, base_model=str(base), device="cpu", database_url=database_next_to(models_url)
    )
    return settings.model_copy(update={"models_url": models_url})  # which is refused without a server


def test_a_second_machine_makes_no_first_version(
    tmp_path: Path, models_url: str, distilbert_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (settings_of(tmp_path / name, models_url, distilbert_folder) for name in ("here", "there"))
    assert run_init(here, NoProgress()).sentence == "v0001 serves."
    monkeypatch.delattr(run, "install_first")
    assert run_init(there, NoProgress()).sentence == "v0001 serves already."


def test_a_run_without_its_storage_does_not_begin(
    tmp_path: Path, models_url: str, distilbert_folder: Path
) -> None:
    here = settings_of(tmp_path / "here", models_url, distilbert_folder)
    run_init(here, NoProgress())
    Path(models_url).rename(tmp_path / "aside")
    with pytest.raises(SharedStorageUnreachableError):
        run_night(here, NoProgress(), trigger="retrain")
    assert Registry(here.models_dir).champion() == "v0001"
