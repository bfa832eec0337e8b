"""Looks up the texts that people read; each language has a folder of YAML files, such as `en/quiz.yaml`.

Each feature has a file of its own. All files of a language together form one tree of keys.

A process uses one language, which the app sets with `speaking`. Look texts up when they are sent, never while
a module is imported: the language is not set by then.
"""

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from storage.files.text import read_text
from storage.sentences import Language

try:
    from yaml import CSafeLoader as Loader  # eight times as fast
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

FOLDER = Path(__file__).parent
DEFAULT = "en"
_spoken = DEFAULT


@cache  # syncing the commands asks 1,700 times: without it, 0.3 s of every start
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
    """Return the text of a key such as `run.failed`, with the values filled in as by `Language.fill`.

    Raises:
        KeyError: The text does not exist, or needs a value that is missing.
    """
    return language().fill(_entry(_spoken, key), values)


def translated(what: object) -> str:
    """Say a sentence or an error from below the bot; in English if it has no translation."""
    return language().say(what)


def named(group: str, name: str, *, default: str | None = None) -> str:
    """Return the text of a name in a group such as `run.triggers`; otherwise the default, or the name."""
    return str(_entry(_spoken, group).get(name, name if default is None else default))


def text_in(language: str, key: str) -> str:
    """Return the text of a key in a language, without values filled in."""
    return str(_entry(language, key))


def in_every_language(key: str) -> frozenset[str]:
    """Return a key's text in each language, to recognize messages sent before the setting changed."""
    return frozenset(text_in(language, key) for language in languages())


def number(value: float, spec: str) -> str:
    """Format a number with the language's separators and percent sign."""
    return language().number(value, spec)


def language() -> Language:
    """Return what it takes to say sentences from below the bot."""
    return _language_of(_spoken)


@cache
def _language_of(code: str) -> Language:
    signs = {
        ",": text_in(code, "numbers.thousands"),
        ".": text_in(code, "numbers.decimal"),
        "%": text_in(code, "numbers.percent"),
    }
    return Language(texts_of(code).get("sentences", {}), signs)


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
