"""`make test-deletion`: delete each feature of the bot in a copy; lint and all other tests stay green.

    python tests/delete_features.py
    python tests/delete_features.py --feature quiz,why --workers 2 tests/bot tests/test_docs.py

Prints one table and ends with 1 where a copy is not green. `delete` says what goes.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[1]
REGISTRATION = "bot/features/__init__.py"
# A feature has what matches these, with its name for NAME; a folder goes with all that it contains.
PLACES = (
    "bot/features/NAME.py",
    "bot/features/NAME",
    "bot/texts/*/NAME.yaml",
    "storage/votes/NAME.py",
    "tests/bot/features/test_NAME.py",
    "tests/bot/features/NAME",
    "tests/storage/votes/test_NAME.py",
    "tests/fuzz/features/NAME.py",
)
STEPS = ("ruff", "format", "mypy", "collection", "tests")


def features_of(root: Path) -> list[str]:
    """Every feature that is registered."""
    return re.findall(r'^ {4}"(\w+)",$', (root / REGISTRATION).read_text(encoding="utf-8"), re.MULTILINE)


def paths_of(root: Path, feature: str) -> list[Path]:
    """The files and folders of a feature."""
    return [path for place in PLACES for path in root.glob(place.replace("NAME", feature))]


def delete(root: Path, feature: str) -> int:
    """Delete a feature's files, its registration and its rows in documents. Returns how many files."""
    files = 0
    for path in paths_of(root, feature):
        files += sum(each.is_file() for each in (path, *path.rglob("*")))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    _without_lines(root / REGISTRATION, rf'    "{feature}",')
    of_feature = rf"features/(?:test_)?{feature}\b"
    command = f"(?:{feature}|{feature.removesuffix('s')})"  # `!import` is of bot/features/imports.py
    for document in (root / "README.md", *root.glob("docs/*.md")):
        _without_lines(document, rf"\|(?: `!{command}\b[^`]*` \|.*|.*{of_feature}.*)")
    return files


def _without_lines(path: Path, pattern: str) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(rf"^{pattern}\n", "", text, flags=re.MULTILINE), encoding="utf-8")


@dataclass
class Trial:
    """What became of the copy without a feature; a step is a command and the last line that it wrote."""

    feature: str
    files: int
    failed: list[str] = field(default_factory=list)
    last_lines: list[str] = field(default_factory=list)

    def run(self, root: Path, name: str, *command: str) -> None:
        """Run a tool in the copy; where it fails, show what it says."""
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},  # before the installed package, which is not the copy
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stdout.strip().splitlines() or [""]
        took_s = time.perf_counter() - started
        self.last_lines.append(f"{name}: {lines[-1].strip('= ')} [{took_s:.0f} s]")
        if done.returncode:
            self.failed.append(name)
            sys.stderr.write(
                f"\n{name} without {self.feature}:\n{done.stdout[-8000:]}{done.stderr[-2000:]}\n"
            )


def copied(folder: Path) -> Path:
    """Copy every file of the working tree that git does not ignore."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    root = folder / PROJECT.name
    for name in filter(None, names.split("\0")):
        if (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, root / name)
    return root


def tried(feature: str, *, steps: list[str], tests: list[str], workers: int, mypy_cache: Path) -> Trial:
    """Delete a feature in a copy, and check the rest."""
    parallel = ["-n", str(workers), "--dist", "loadfile"] if workers > 1 else []
    commands = {
        "ruff": ["ruff", "check", "--no-cache", "."],
        "format": ["ruff", "format", "--no-cache", "--check", "."],
        "mypy": ["mypy", "--cache-dir", str(mypy_cache)],
        "collection": ["pytest", "-q", "--collect-only", "--ignore", "tests/cluster", "tests"],
        "tests": ["pytest", "-q", "-m", "not long", "--ignore", "tests/cluster", *parallel],
    }
    with tempfile.TemporaryDirectory(prefix="deletion-") as name:
        root = copied(Path(name))
        trial = Trial(feature, delete(root, feature))
        commands["tests"] += [each for each in tests if (root / each).exists()]
        for step in steps:
            trial.run(root, step, *commands[step])
    return trial


def main() -> int:
    """Try what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--feature", default="", help="features, separated by commas; all when empty")
    parser.add_argument("--steps", default=",".join(STEPS), help=f"of {', '.join(STEPS)}, by commas")
    parser.add_argument("--workers", type=int, default=1, help="processes of pytest")
    parser.add_argument("tests", nargs="*", default=["tests"], help="the tests to run, but for the long ones")
    options = parser.parse_args()
    wanted = [name for name in options.feature.split(",") if name] or features_of(PROJECT)
    if unknown := set(wanted) - set(features_of(PROJECT)):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(features_of(PROJECT))}")
    with tempfile.TemporaryDirectory(prefix="mypy-") as cache:
        if (seed := PROJECT / ".mypy_cache").exists():  # each copy then checks only what the deletion touches
            shutil.copytree(seed, cache, dirs_exist_ok=True)
        trials = []
        for feature in wanted:
            trial = tried(
                feature,
                steps=options.steps.split(","),
                tests=options.tests,
                workers=options.workers,
                mypy_cache=Path(cache),
            )
            trials.append(trial)
            verdict = f"✗ {', '.join(trial.failed)}" if trial.failed else "✓"
            line = f"{feature:<14} {trial.files:>2} files  {verdict}  {' · '.join(trial.last_lines)}"
            print(line, flush=True)  # noqa: T201
    return 1 if any(trial.failed for trial in trials) else 0


if __name__ == "__main__":
    sys.exit(main())
