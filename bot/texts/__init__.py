"""Everything that the bot says, by dotted key: one YAML file per language, such as `en.yaml`.

A process speaks one language, which `speak` chooses at its start. Look a text up when it is said, never while
a module is imported: the language is not known then.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from storage.text_files import read_text

try:
    from yaml import CSafeLoader as Loader  # eight times as fast, at every start
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

FOLDER = Path(__file__).parent
DEFAULT = "en"
_spoken = DEFAULT


def languages() -> tuple[str, ...]:
    """The languages that have a file, by their codes."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def speak(language: str) -> None:
    """Say everything in this language from now on, in the whole process."""
    global _spoken  # one process speaks one language
    _spoken = language


def say(key: str, /, **values: object) -> str:
    """The text of a key such as `run.failed`, with the values filled in; of `one` and `other` by `n`.

    Raises:
        KeyError: there is no such text, or it wants a value that was not given.
    """
    entry: Any = texts_of(_spoken)
    for part in key.split("."):
        entry = entry[part]
    if isinstance(entry, dict):
        entry = entry["one" if values["n"] == 1 else "other"]
    return str(entry).format_map(values)


@cache
def texts_of(language: str) -> dict[str, Any]:
    """Everything in the file of a language."""
    texts: dict[str, Any] = yaml.load(read_text(FOLDER / f"{language}.yaml"), Loader=Loader)
    return texts
