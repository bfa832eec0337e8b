"""Where things are kept: the settings that everybody who opens the database needs; and how settings are read.

`training.settings` adds the training side's to them, `bot.settings` the bot's own. All three are read by
`load`, so that the same file and the same variables mean the same everywhere.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from storage import variables
from storage.backends.urls import file_url, usable_url
from storage.errors import SettingsError
from storage.paths import expanded_folder
from storage.setting_names import NAMES

EX_CONFIG = 78  # of sysexits.h: a setting must be changed
PREFIX = "FILLBOT_"
FILE = ".env"
_S = TypeVar("_S", bound="Settings")


class Settings(BaseSettings):
    """Read from the environment (`FILLBOT_…`, and `.env`). Frozen; build it once, in `main()`, by `load`."""

    model_config = SettingsConfigDict(
        extra="ignore",
        hide_input_in_errors=True,  # the token may be in it
        frozen=True,
        populate_by_name=True,
    )

    home: Path = Field(
        default=Path(".fillbot"), description="Folder of the database, models, runs, backups and locks."
    )
    database_url: str | None = Field(
        default=None,
        description="Path of the database's file, or postgresql://user:password@host/name for a server. "
        "Empty: fillbot.db in FILLBOT_HOME.",
    )
    keep_backups: int = Field(
        default=7,
        ge=0,
        le=3650,
        description="Daily backups of the database that are kept, in FILLBOT_HOME/backups. 0: none is made.",
    )

    def __init__(self, _env_file: str | Path | None = FILE, **values: Any) -> None:
        """Read what is not given. The reading is ours: see `variables`."""
        super().__init__(**{**_read(type(self), _env_file), **values})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What `__init__` hands on, alone."""
        return (init_settings,)

    @field_validator("home", mode="before")
    @classmethod
    def _whole_home(cls, value: Any) -> Any:
        return expanded_folder(value) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _usable_url(cls, value: str | None) -> str | None:
        return value if value is None else usable_url(value)

    def missing(self) -> str | None:
        """What settings point to and is not there, in a few words; None where all is."""
        return None

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database_url or file_url(self.home / "fillbot.db")

    @property
    def backups_dir(self) -> Path:
        """Folder of the backups."""
        return self.home / "backups"


def load(kind: type[_S], *, warn: Callable[[str], None] | None = None, **values: Any) -> _S:
    """Read the environment and `.env`.

    Args:
        kind: whose settings.
        warn: told in a sentence of a variable that no setting has and that is near to none.
        values: settings that go before what is read.

    Raises:
        SettingsError: a setting, or the file, cannot be used; names it.
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
    """The setting's name in the environment."""
    return (field.alias or PREFIX + name).upper()


def _reject_misspelled(found: dict[str, str], warn: Callable[[str], None]) -> None:
    given = {name for name, value in found.items() if value}
    for name, near in variables.misspelled(given, NAMES, given=given & NAMES):
        if near is not None:
            raise SettingsError(f"{name} is no setting; did you mean {near}")
        warn(f"{name} is no setting of fillbot, so it changes nothing. See .env.example.")


def _to_stderr(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


def _sentence(error: ValidationError) -> str:
    """The first setting that cannot be used, by its name in the environment, and why."""
    first = error.errors(include_url=False, include_input=False)[0]
    reason = str(first["msg"]).removeprefix("Value error, ")
    if not first["loc"]:
        return reason
    name = str(first["loc"][0]).upper()
    return f"{name if name in NAMES else PREFIX + name}: {reason}"


def _read(kind: type[Settings], file: str | Path | None) -> dict[str, str]:
    """Field → value as it is written, of those that are set: in the environment, else in the file."""
    given = {name: value for name, value in variables.read_environment().items() if value}
    found = {**(variables.read_file(Path(file)) if file else {}), **given}
    read = {}
    for field_name, field in kind.model_fields.items():
        names = dict.fromkeys((variable_of(field_name, field), PREFIX + field_name.upper()))
        values = {name: value for name in names if (value := found.get(name))}
        if len(set(values.values())) > 1:
            raise SettingsError(f"{' and '.join(values)} say different things; keep one of them")
        for name, value in values.items():
            if value.isspace():
                raise SettingsError(f"{name}: there are blanks in it and nothing else; leave it empty")
            read[field_name] = value
    return read
