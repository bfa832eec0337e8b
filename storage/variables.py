"""Read variables from the environment and a `.env` file.

Invalid lines, unknown names and conflicting values are errors. No message shows a value, as it may be secret.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from storage.errors import SettingsError
from storage.files.text import read_text

CUTOFF = 0.8  # cutoff of difflib; FILLBOT_HOEM and FILLBOT_HOME have 0.92
QUOTES = ('""', "''", "“”", "„“", "‘’", "``", "«»")
INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"  # invisible characters that come with text copied from web pages
REFERENCE = re.compile(r"\$\{([^}:]*)(?::-[^}]*)?\}")


def read_environment() -> dict[str, str]:
    """Return upper-case name → value of all environment variables."""
    return {name.upper(): cleaned(value) for name, value in os.environ.items()}


def read_file(path: Path) -> dict[str, str]:
    """Return upper-case name → value of a `.env` file; empty if it does not exist.

    Raises:
        SettingsError: The file cannot be read, or a line is invalid.
    """
    if path.is_dir() and not (path / "pyvenv.cfg").exists():
        raise SettingsError(f"{path} is a folder; expected a file")
    if not path.exists() or path.is_dir():
        return {}
    try:
        text = read_text(path, fallback="cp1252")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} has an unknown text encoding; save it as UTF-8") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror})") from error
    if "\0" in text:
        raise SettingsError(f"{path} contains NUL bytes; save it as UTF-8")
    lines: dict[str, tuple[int, str]] = {}
    for binding in parse_stream(StringIO(text)):
        number = binding.original.line + _blank_lines_before(binding.original.string)
        if binding.error or (binding.key is not None and binding.value is None):
            raise SettingsError(f"{path}, line {number}: expected NAME=value with closed quotes")
        if binding.key is None:
            continue
        name, value = binding.key.upper(), cleaned(binding.value or "")
        _check_references(binding.value or "", lines, f"{path}, line {number}")
        if name in lines and lines[name][1] != value:
            raise SettingsError(
                f"{path} sets {name} in lines {lines[name][0]} and {number}; keep one of them"
            )
        lines[name] = (number, value)
    return {
        name.upper(): cleaned(value or "")
        for name, value in dotenv_values(stream=StringIO(text), interpolate=True).items()
    }


def cleaned(value: str) -> str:
    """Strip blanks and one pair of quotes; a value of blanks alone is returned unchanged."""
    bare = value.strip().strip(INVISIBLE).strip()
    if len(bare) > 1 and bare[0] + bare[-1] in QUOTES:
        bare = bare[1:-1].strip()
    return value if value.isspace() else bare


def setting_meant(name: str, known: Iterable[str]) -> str | None:
    """Return the setting that a misspelled name resembles; None if it resembles none."""
    near = difflib.get_close_matches(re.sub(r"\W", "_", name), sorted(known), n=1, cutoff=CUTOFF)
    return near[0] if near else None


def _blank_lines_before(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


def _check_references(value: str, before: Mapping[str, object], where: str) -> None:
    """Reject `${NAME}` unless the environment or an earlier line sets it."""
    for used in REFERENCE.finditer(value):
        if ":-" not in used[0] and used[1] not in os.environ and used[1].upper() not in before:
            raise SettingsError(f"{where}: the variable ${{{used[1]}}} is not set")
