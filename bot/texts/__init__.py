"""Looks up the texts that people read; each language has a YAML file, such as `en.yaml`.

A process uses one language, which `speak` sets at the start. Look texts up when they are sent, never while a
module is imported: the language is not set by then.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from storage.text_files import read_text

try:
    from yaml import CSafeLoader as Loader  # eight times as fast
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

FOLDER = Path(__file__).parent
DEFAULT = "en"
_spoken = DEFAULT


def languages() -> tuple[str, ...]:
    """Return the codes of the available languages."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def speak(language: str) -> None:
    """Set the language of the whole process."""
    global _spoken  # one process speaks one language
    _spoken = language


def say(key: str, /, **values: object) -> str:
    """Return the text of a key such as `run.failed`, with the values filled in.

    `n` chooses between `one` and `other` where a text has both.

    Raises:
        KeyError: The text does not exist, or needs a value that is missing.
    """
    entry: Any = texts_of(_spoken)
    for part in key.split("."):
        entry = entry[part]
    if isinstance(entry, dict):
        entry = entry["one" if values["n"] == 1 else "other"]
    return str(entry).format_map(values)


@cache
def texts_of(language: str) -> dict[str, Any]:
    """Return all texts of a language."""
    texts: dict[str, Any] = yaml.load(read_text(FOLDER / f"{language}.yaml"), Loader=Loader)
    return texts
