"""Where settings are read from: the environment, and a file `.env` as editors and shells write it.

Nothing is dropped in silence: a line that cannot be read, a name that no setting has, a second value for
the same name are refused. No sentence shows a value, as any of them may be a secret.
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
from storage.text_files import read_text

NEAR = 0.8  # of difflib: FILLBOT_HOEM and FILLBOT_HOME have 0.92
QUOTES = ('""', "''", "“”", "„“", "‘’", "``", "«»")
UNSEEN = "\ufeff\u200b\u200e\u200f\u2060"  # what copying from a page brings along
USED = re.compile(r"\$\{([^}:]*)(?::-[^}]*)?\}")


def read_environment() -> dict[str, str]:
    """Name in capitals → value, of every variable of this process."""
    return {name.upper(): cleaned(value) for name, value in os.environ.items()}


def read_file(path: Path) -> dict[str, str]:
    """The same of a file; empty where there is none.

    Raises:
        SettingsError: it cannot be read, or a line of it cannot.
    """
    if path.is_dir() and not (path / "pyvenv.cfg").exists():
        raise SettingsError(f"{path} is a folder; expected a file")
    if not path.exists() or path.is_dir():
        return {}
    try:
        text = read_text(path, fallback="cp1252")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path} is neither UTF-8 nor another encoding of text; save it as UTF-8"
        ) from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror})") from error
    if "\0" in text:
        raise SettingsError(f"{path} is no text: there are NUL bytes in it; save it as UTF-8")
    lines: dict[str, tuple[int, str]] = {}
    for binding in parse_stream(StringIO(text)):
        number = binding.original.line + _blank_lines_before(binding.original.string)
        if binding.error or (binding.key is not None and binding.value is None):
            raise SettingsError(f"{path}, line {number}: expected NAME=value, with quotes closed")
        if binding.key is None:
            continue
        name, value = binding.key.upper(), cleaned(binding.value or "")
        _require_variables(binding.value or "", lines, f"{path}, line {number}")
        if name in lines and lines[name][1] != value:
            raise SettingsError(
                f"{path} sets {name} in line {lines[name][0]} and in line {number}; keep one of them"
            )
        lines[name] = (number, value)
    return {
        name.upper(): cleaned(value or "")
        for name, value in dotenv_values(stream=StringIO(text), interpolate=True).items()
    }


def cleaned(value: str) -> str:
    """Without the blanks and the pair of quotes around it; a value of blanks alone stays as it is."""
    bare = value.strip().strip(UNSEEN).strip()
    if len(bare) > 1 and bare[0] + bare[-1] in QUOTES:
        bare = bare[1:-1].strip()
    return value if value.isspace() else bare


def misspelled(
    names: Iterable[str], known: Iterable[str], *, given: Iterable[str] = (), own: str = "FILLBOT"
) -> list[tuple[str, str | None]]:
    """Names that no setting has and that were meant for one, each with the nearest setting or None.

    Args:
        names: those that are set.
        known: those of the settings.
        given: settings that have a value; a name of another program is often near to one of them.
        own: how every name begins that can be for nobody else.
    """
    known, given = sorted(known), set(given)
    found: list[tuple[str, str | None]] = []
    for name in sorted(set(names) - set(known)):
        spelled = re.sub(r"\W", "_", name)
        near = difflib.get_close_matches(spelled, known, n=1, cutoff=NEAR)
        if name.startswith(own):
            found.append((name, near[0] if near else None))
        elif near and near[0] not in given:
            found.append((name, near[0]))
    return found


def _blank_lines_before(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


def _require_variables(value: str, before: Mapping[str, object], where: str) -> None:
    """`${NAME}` is filled in from the environment and from lines before, never with nothing."""
    for used in USED.finditer(value):
        if ":-" not in used[0] and used[1] not in os.environ and used[1].upper() not in before:
            raise SettingsError(f"{where}: ${{{used[1]}}} is a variable that is not set")
