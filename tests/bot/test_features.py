"""Every feature can be deleted: its files are where `make test-deletion` looks for them, and nowhere else."""

import shutil
from pathlib import Path

import pytest
from delete_features import PLACES, PROJECT, delete, features_of, paths_of

from bot.features import FEATURES
from bot.texts import languages

SHARED = {"__init__", "__pycache__", "conftest"}
IN_FEATURES = [place for place in PLACES if "/features/" in place]


def test_the_script_reads_the_registration_as_the_bot_does() -> None:
    assert tuple(features_of(PROJECT)) == FEATURES


@pytest.mark.parametrize("folder", sorted({str(Path(place).parent) for place in IN_FEATURES}))
def test_everything_in_a_folder_of_features_is_of_one_that_is_registered(folder: str) -> None:
    names = {path.stem.removeprefix("test_") for path in (PROJECT / folder).iterdir()}
    assert names - SHARED <= set(FEATURES)


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_has_tests_and_texts_in_every_language(feature: str) -> None:
    files = [path.relative_to(PROJECT).as_posix() for path in paths_of(PROJECT, feature)]
    assert [one for one in files if one.startswith("tests/bot/features/")]
    assert {f"bot/texts/{language}/{feature}.yaml" for language in languages()} <= set(files)


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_that_is_deleted_leaves_no_file_and_no_line(tmp_path: Path, feature: str) -> None:
    (tmp_path / "bot/features").mkdir(parents=True)
    for path in paths_of(PROJECT, feature):
        copy = tmp_path / path.relative_to(PROJECT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
    for name in ("bot/features/__init__.py", "README.md"):
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    assert delete(tmp_path, feature) > len(languages())
    assert paths_of(tmp_path, feature) == []
    assert features_of(tmp_path) == [one for one in FEATURES if one != feature]
    assert f"`!{feature}" not in (tmp_path / "README.md").read_text().split("| command |")[1]
