"""`make` takes any Python from 3.11 to 3.14 that is here, and has uv get one where none is."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
PYTHON = """#!/bin/sh
case "$1" in
  -c) exit {refuses} ;;
  -m) mkdir -p .venv/bin; echo "{name} $2" >> log; cp python.stub .venv/bin/python ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> log
mkdir -p .venv/bin
cp python.stub .venv/bin/python
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone on a machine that has nothing but make and a shell."""
    program = shutil.which("make")
    if program is None:
        pytest.skip("make is not here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("sh", "touch", "mkdir", "cp"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    executable(tmp_path / "python.stub", "#!/bin/sh\n")
    return tmp_path


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def install(clone: Path, *variables: str) -> tuple[int, str]:
    process = subprocess.run(
        [str(shutil.which("make")), "install", *variables],
        cwd=clone,
        env={"PATH": str(clone / "bin")},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    log = clone / "log"
    return process.returncode, log.read_text() if log.exists() else process.stdout


@pytest.mark.parametrize("version", SUPPORTED)
def test_make_takes_what_is_here(clone: Path, version: str) -> None:
    executable(clone / "bin" / f"python{version}", PYTHON.format(refuses=0, name=version))
    assert install(clone) == (0, f"{version} venv\n")


def test_make_passes_over_one_that_does_not_fit(clone: Path) -> None:
    executable(clone / "bin" / "python3.11", PYTHON.format(refuses=1, name="3.11"))
    executable(clone / "bin" / "python3.12", PYTHON.format(refuses=0, name="3.12"))
    assert install(clone) == (0, "3.12 venv\n")


def test_uv_gets_one_where_none_fits(clone: Path) -> None:
    executable(clone / "bin" / "python3", PYTHON.format(refuses=1, name="3.10"))
    executable(clone / "bin" / "uv", UV)
    code, log = install(clone)
    assert code == 0
    assert log.startswith("uv venv ")
    assert "--seed" in log


def test_one_that_is_named_is_taken_or_refused(clone: Path) -> None:
    executable(clone / "bin" / "uv", UV)
    executable(clone / "bin" / "mine", PYTHON.format(refuses=1, name="mine"))
    code, said = install(clone, "PYTHON=mine")
    assert code != 0
    assert "Python 3.11 to 3.14" in said


def test_without_any_it_says_what_to_install(clone: Path) -> None:
    code, said = install(clone)
    assert code != 0
    assert "Python 3.11 to 3.14" in said


def test_all_places_name_the_same_versions() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(project["project"]["classifiers"]))
    assert tuple(classified) == SUPPORTED
    assert project["project"]["requires-python"] == ">=3.11,<3.15"
    assert project["tool"]["ruff"]["target-version"] == "py311"
    assert "Python 3.11 to 3.14" in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_the_oldest_and_the_newest() -> None:
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["check"]
    assert job["strategy"]["matrix"]["python"] == [SUPPORTED[0], SUPPORTED[-1]]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_what_newer_pythons_need_besides_is_pinned() -> None:
    """Python 3.13 dropped audioop, which discord.py imports."""
    assert "audioop-lts==" in (PROJECT / "constraints.txt").read_text(encoding="utf-8")
