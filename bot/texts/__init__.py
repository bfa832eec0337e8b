"""Looks up the texts that people read; each language has a folder of YAML files, such as `en/quiz.yaml`.

Each feature has a file of its own. All files of a language together form one tree of keys.

A process uses one language, which the app sets with `speaking`. Look texts up when they are sent, never while
a module is imported: the language is not set by then.
"""

import contextlib
import string
from collections.abc import Iterator
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
    return tuple(sorted({path.parent.name for path in FOLDER.glob("*/*.yaml")}))


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Set the language of the whole process, and set it back at the end of the block."""
    global _spoken  # not a ContextVar: it must hold in tasks that discord.py starts, too
    before, _spoken = _spoken, language
    try:
        yield
    finally:
        _spoken = before


def say(key: str, /, **values: object) -> str:
    """Return the text of a key such as `run.failed`, with the values filled in.

    `n` chooses between `one` and `other` where a text has both.

    Formatted numbers, such as `{n:,}` and `{share:.0%}`, get the language's separators.

    Raises:
        KeyError: The text does not exist, or needs a value that is missing.
    """
    entry = _entry(_spoken, key)
    if isinstance(entry, dict):
        entry = entry["one" if values["n"] == 1 else "other"]
    return _FORMATTER.vformat(str(entry), (), values)


def named(group: str, name: str) -> str:
    """Return the text of a name in a group such as `run.triggers`; the name itself if it has none."""
    return str(_entry(_spoken, group).get(name, name))


def text_in(language: str, key: str) -> str:
    """Return the text of a key in a language, without values filled in."""
    return str(_entry(language, key))


def in_every_language(key: str) -> frozenset[str]:
    """Return a key's text in each language, to recognize messages sent before the setting changed."""
    return frozenset(text_in(language, key) for language in languages())


def number(value: float, spec: str) -> str:
    """Format a number with the language's separators and percent sign."""
    signs: dict[str, str | int | None] = {
        ",": say("numbers.thousands"),
        ".": say("numbers.decimal"),
        "%": say("numbers.percent"),
    }
    return format(value, spec).translate(str.maketrans(signs))


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec and isinstance(value, int | float):
            return number(value, format_spec)
        return str(super().format_field(value, format_spec))


_FORMATTER = _Formatter()


def _entry(language: str, key: str) -> Any:
    entry: Any = texts_of(language)
    for part in key.split("."):
        entry = entry[part]
    return entry


@cache
def texts_of(language: str) -> dict[str, Any]:
    """Return all texts of a language."""
    texts: dict[str, Any] = {}
    for path in sorted((FOLDER / language).glob("*.yaml")):
        _add(yaml.load(read_text(path), Loader=Loader), to=texts)
    return texts


def _add(texts: dict[str, Any], *, to: dict[str, Any]) -> None:
    for key, entry in texts.items():
        if isinstance(entry, dict):
            _add(entry, to=to.setdefault(key, {}))
        else:
            to[key] = entry
