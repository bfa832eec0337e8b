"""`docs/licences.md` lists every dependency with its licence; run this file to write it anew."""

import re
import tomllib
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path

PROJECT = Path(__file__).parents[1]
DOCUMENT = PROJECT / "docs" / "licences.md"
HEADER = """\
# Licences of the dependencies

The direct dependencies of fillbot, with the licence that each package declares; asyncpg, ray and s3fs belong
to the extra `cluster`. Versions are pinned in `constraints.txt`.

UpTrain (Apache-2.0) brings litellm, openai, faiss-cpu, plotly and **PyMuPDF, which is AGPL-3.0**. None of
them is imported on the paths that fillbot uses, but they are installed with it.

| package | licence |
|---|---|
"""
# Those that give their whole text instead of a name.
NAMES = {"matplotlib": "matplotlib's own (PSF-based)", "discord.py": "MIT"}
SHORT = {"Apache Software License": "Apache-2.0", "MIT License": "MIT", "BSD License": "BSD"}


def dependencies() -> list[str]:
    """The names of what the project asks for, with the extra, without tools for development."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    return sorted((re.split(r"[\[<>=!;]", entry)[0] for entry in entries), key=str.lower)


def licence(of: PackageMetadata) -> str:
    if expression := of.get("License-Expression"):
        return str(expression)
    named = [c.split(" :: ")[-1] for c in of.get_all("Classifier") or [] if c.startswith("License")]
    return ", ".join(SHORT.get(name, name) for name in named) or str(of.get("License"))


def rendered() -> str:
    return HEADER + "".join(
        f"| {name} | {NAMES.get(name) or licence(metadata(name))} |\n" for name in dependencies()
    )


def test_every_dependency_is_listed_with_a_licence() -> None:
    listed = dict(
        re.findall(r"^\| ([\w.-]+) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert sorted(listed.keys() - {"package"}, key=str.lower) == dependencies()
    assert all(len(said) > 2 for said in listed.values())


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(), encoding="utf-8")
