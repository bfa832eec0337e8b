"""The settings shared by all packages, and how settings are read.

`training.settings` and `bot.settings` extend them. All are read by `load`, so that a variable means the same
everywhere.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from storage import variables
from storage.backends.urls import sqlite_url, usable_url
from storage.errors import SettingsError
from storage.files.paths import expanded_folder
from storage.setting_names import NAMES, RENAMED

EX_CONFIG = 78  # of sysexits.h: configuration error
PREFIX = "FILLBOT_"
FILE = ".env"
_S = TypeVar("_S", bound="Settings")


class Settings(BaseModel):
    """Settings from the environment (`FILLBOT_…`) and `.env`. Frozen; read once, in `main()`, by `load`."""

    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,  # may contain the Discord token
        frozen=True,
        populate_by_name=True,
        validate_default=True,
    )

    home: Path = Field(
        default=Path(".fillbot"),
        description="The folder that holds the database, models, runs, backups and locks.",
    )
    database_url: str | None = Field(
        default=None,
        description="The path of the database file, or postgresql://user:password@host/name for a server. "
        "Empty means fillbot.db in FILLBOT_HOME.",
    )
    keep_backups: int = Field(
        default=7,
        ge=0,
        le=3650,
        description="How many daily database backups to keep in FILLBOT_HOME/backups. 0 disables backups.",
    )

    def __init__(self, _env_file: str | Path | None = FILE, **values: Any) -> None:
        super().__init__(**{**_read(type(self), _env_file), **values})

    @field_validator("home", mode="before")
    @classmethod
    def _whole_home(cls, value: Any) -> Any:
        return expanded_folder(value) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _usable_url(cls, value: str | None) -> str | None:
        return value if value is None else usable_url(value)

    def missing(self) -> str | None:
        """Return what the settings refer to but is missing, as a sentence; None if nothing is."""
        return None

    @property
    def url(self) -> str:
        """The URL of the database."""
        return self.database_url or sqlite_url(self.home / "fillbot.db")

    @property
    def backups_dir(self) -> Path:
        """The folder of the backups."""
        return self.home / "backups"


def load(kind: type[_S], *, warn: Callable[[str], None] | None = None, **values: Any) -> _S:
    """Read settings from the environment and `.env`.

    Args:
        kind: The settings class.
        warn: Called with a sentence about each unknown variable that resembles no setting, and each old name.
        values: Settings that take precedence over what is read.

    Raises:
        SettingsError: A setting or the file is invalid; the message names it.
    """
    _reject_misspelled(
        {**variables.read_file(Path(FILE)), **variables.read_environment()}, warn or _to_stderr
    )
    try:
        settings = kind(**values)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error
    if (missing := settings.missing()) is not None:
        raise SettingsError(missing)
    return settings


def variable_of(name: str, field: FieldInfo) -> str:
    """Return the name of a setting's environment variable."""
    return (field.alias or PREFIX + name).upper()


def _reject_misspelled(found: dict[str, str], warn: Callable[[str], None]) -> None:
    given = {name for name, value in found.items() if value}
    for old in sorted(given & set(RENAMED)):
        warn(f"{old} is now called {RENAMED[old]}. The old name stops working with the next release.")
    known = NAMES | set(RENAMED)
    for name in sorted(given - known):
        near, is_ours = variables.setting_meant(name, NAMES), name.startswith("FILLBOT")
        if near and (is_ours or near not in given):  # names of other programs often resemble one that is set
            raise SettingsError(f"{name} is not a setting (did you mean {near}?)")
        if is_ours:
            warn(f"{name} is not a setting of fillbot and is ignored. See .env.example.")


def _to_stderr(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


def _sentence(error: ValidationError) -> str:
    """Name the variable of the first invalid setting, and the reason."""
    first = error.errors(include_url=False, include_input=False)[0]
    reason = str(first["msg"]).removeprefix("Value error, ")
    if not first["loc"]:
        return reason
    name = str(first["loc"][0]).upper()
    return f"{name if name in NAMES else PREFIX + name}: {reason}"


def _read(kind: type[Settings], file: str | Path | None) -> dict[str, str]:
    """Return field → text, from the environment or else the file."""
    given = {name: value for name, value in variables.read_environment().items() if value}
    found = {**(variables.read_file(Path(file)) if file else {}), **given}
    read = {}
    for field_name, field in kind.model_fields.items():
        current = variable_of(field_name, field)
        old_names = (old for old, new in RENAMED.items() if new == current)
        names = dict.fromkeys((current, PREFIX + field_name.upper(), *old_names))
        values = {name: value for name in names if (value := found.get(name))}
        if len(set(values.values())) > 1:
            raise SettingsError(f"{' and '.join(values)} have different values; keep one of them")
        for name, value in values.items():
            if value.isspace():
                raise SettingsError(f"{name}: it contains only blanks; leave it empty")
            read[field_name] = value
    return read
