"""`make release`: build a wheel and an sdist in dist/ from a clean tree. Uploads nothing.

The version is `__version__` in `bot/__init__.py`, and `CHANGELOG.md` has a section for it.
"""

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def version_in(project: Path) -> str:
    """Return the version of a checkout."""
    text = (project / "bot" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError(f"no __version__ in {project}/bot/__init__.py")
    return found[1]


def section_of(version: str, changelog: str) -> str:
    """Return what the changelog says about a version; empty if it says nothing."""
    heading = rf"^## {re.escape(version)}(?: - \d{{4}}-\d\d-\d\d)?$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def obstacles(project: Path) -> list[str]:
    """Return why this checkout cannot be released, as sentences that say what to do."""
    version, found = version_in(project), []
    changelog = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    if _git(project, "status", "--porcelain"):
        found.append("The tree has changes that are not committed: commit or stash them (git status).")
    if not section_of(version, changelog):
        found.append(
            f"CHANGELOG.md has no section for {version}: write one under '## {version} - YYYY-MM-DD'."
        )
    if section_of("Unreleased", changelog):
        found.append(
            f"CHANGELOG.md still has entries under Unreleased: move them to the section of {version}."
        )
    tag = f"v{version}"
    tagged = _git(project, "rev-parse", "--verify", "--quiet", f"{tag}^{{commit}}")
    if tagged and tagged != _git(project, "rev-parse", "HEAD"):
        found.append(f"{tag} is already released: raise __version__ in bot/__init__.py.")
    return found


def build(project: Path, to: Path) -> list[Path]:
    """Build an sdist and a wheel, without a network. Returns their paths."""
    subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-m", "hatchling", "build", "-d", str(to)],
        cwd=project,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    version = version_in(project)
    return [to / f"fillbot-{version}.tar.gz", to / f"fillbot-{version}-py3-none-any.whl"]


def main(arguments: list[str]) -> int:
    """`check` says what stands in the way of a release; `build` builds it. Returns the exit code."""
    if found := obstacles(PROJECT):
        sys.stderr.write("\n".join(found) + "\n")
        return 1
    if arguments == ["check"]:
        return 0
    for path in build(PROJECT, PROJECT / "dist"):
        sys.stdout.write(f"{path.relative_to(PROJECT)} ({path.stat().st_size / 1e6:.1f} MB)\n")
    version = version_in(PROJECT)
    sys.stdout.write(f"Nothing was uploaded. To tag it: git tag -a v{version} -m 'fillbot {version}'\n")
    return 0


def _git(project: Path, *arguments: str) -> str:
    process = subprocess.run(  # noqa: S603  fixed arguments
        ["git", *arguments],  # noqa: S607  the one of this machine
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
    )
    return process.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
