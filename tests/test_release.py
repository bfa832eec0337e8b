"""The wheel holds what the bot reads and runs without a checkout; what is not ready is not released."""

import asyncio
import importlib.util
import os
import re
import subprocess
import sys
import venv
import zipfile
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from support.people import Person

from bot import __version__
from bot.__main__ import main
from bot.sandbox.server import Sandbox

PROJECT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("release", PROJECT / "deploy" / "release.py")
assert SPEC is not None
assert SPEC.loader is not None
release = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(release)
READY_WITHIN_S = 600  # on a machine that does much else; 15 otherwise


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A fresh sdist and wheel."""
    pytest.importorskip("hatchling", reason="hatchling is not here: make install brings it")
    found: list[Path] = release.build(PROJECT, tmp_path_factory.mktemp("dist"))
    return found


@pytest.fixture(scope="module")
def wheel(built: list[Path]) -> Path:
    (found,) = (path for path in built if path.suffix == ".whl")
    return found


def test_the_wheel_holds_all_files_of_the_packages_and_nothing_else(wheel: Path) -> None:
    if not (PROJECT / ".git").exists():
        pytest.skip("only a checkout knows which files are tracked")
    ours = git(
        PROJECT, "ls-files", "--cached", "--others", "--exclude-standard", "bot", "training", "storage"
    )
    expected = {name for name in ours.splitlines() if (PROJECT / name).exists()}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("fillbot-")}
    assert held == expected
    assert {
        "bot/texts/de/fill.yaml",
        "bot/sandbox/page/index.html",
        "training/corpus/languages/en/patterns/usage.yaml",
    } <= held


def test_wheel_and_sdist_have_the_version_that_the_command_says(
    built: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"fillbot {__version__}\n"
    assert all(path.exists() and f"fillbot-{__version__}" in path.name for path in built)


def test_the_version_has_a_section_in_the_changelog() -> None:
    assert release.version_in(PROJECT) == __version__
    assert release.section_of(__version__, (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"))


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A checkout that can be released."""
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "## Unreleased\n\n## 1.2.0 - 2026-12-01\n\n- Releases.\n\n## 1.1.0\n\n- Old.\n"
    )
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "All")


def test_a_clean_tree_with_a_section_can_be_released(ready: Path) -> None:
    assert release.obstacles(ready) == []
    git(ready, "tag", "v1.2.0")
    assert release.obstacles(ready) == []  # built again from the same commit


def test_a_changed_tree_is_refused(ready: Path) -> None:
    (ready / "new.py").write_text("")
    (said,) = release.obstacles(ready)
    assert "git status" in said


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        ("## 1.2.0\n\n## 1.1.0\n\n- Old.\n", "no section for 1.2.0"),
        ("## Unreleased\n\n- More.\n\n## 1.2.0\n\n- Releases.\n", "entries under Unreleased"),
    ],
)
def test_an_unfinished_changelog_is_refused(ready: Path, changelog: str, said: str) -> None:
    (ready / "CHANGELOG.md").write_text(changelog)
    commit(ready)
    (sentence,) = release.obstacles(ready)
    assert said in sentence


def test_a_version_that_was_released_is_refused(ready: Path) -> None:
    git(ready, "tag", "v1.2.0")
    (ready / "new.py").write_text("")
    commit(ready)
    (said,) = release.obstacles(ready)
    assert "raise __version__" in said


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The folder of programs of an environment with the wheel, and the dependencies but not the checkout."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    # A path that a .pth adds is not searched for further .pth files, such as that of the editable checkout.
    (site / "dependencies.pth").write_text(
        "\n".join(path for path in sys.path if path.endswith("site-packages"))
    )
    return programs


def environment(base: Path) -> dict[str, str]:
    """The environment of a process that knows no checkout; its first start copies this base model."""
    named = ("PATH", "HOME", "TMPDIR", "LANG")
    ours = {
        "FILLBOT_SANDBOX_PORT": "0",
        "FILLBOT_BASE_MODEL": str(base),
        "FILLBOT_ALLOW_WEAK_BASE": "true",  # a model of a test knows few words
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return {name: os.environ[name] for name in named if name in os.environ} | ours


def done(program: Path, *arguments: str, within: Path, env: dict[str, str]) -> str:
    process = subprocess.run(
        [str(program), *arguments], cwd=within, env=env, check=False, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_the_wheel_starts_answers_and_runs_its_commands_where_no_checkout_is(
    installed: Path, tmp_path: Path, models_folder: Path
) -> None:
    empty, env = tmp_path / "empty", environment(models_folder / "v0001")
    empty.mkdir()
    run = partial(done, within=empty, env=env)
    places = run(installed / "python", "-c", "import bot, storage, training; print(bot, storage, training)")
    assert str(PROJECT) not in places
    assert run(installed / "fillbot", "--version") == f"fillbot {__version__}\n"
    assert "FILLBOT_HOME" in (installed.parent / "share" / "fillbot" / ".env.example").read_text()

    command = str(installed / "fillbot")
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            command, cwd=empty, env=env, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", line)
        assert found, (tmp_path / "log").read_text()
        async with Person(found.group(), "ben") as ben, aiohttp.ClientSession() as browser:
            reply = await ben.command(Sandbox.channel_id, "!fill Nike shoes are very [MASK]")
            assert reply["embeds"]
            async with browser.get(found.group()) as page:
                assert "<html" in await page.text()
    finally:
        process.terminate()
        async with asyncio.timeout(30):
            code = await process.wait()
    assert code == 0

    assert "✓ .fillbot/fillbot.db" in run(installed / "python", "-m", "storage", "check")  # migrated
    run(installed / "python", "-m", "training", "domain", "--epochs", "0.01")  # reads patterns and suites
    assert "v0002" in run(installed / "python", "-m", "training", "versions")
