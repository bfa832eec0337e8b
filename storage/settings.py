"""Where things are kept: the settings that everybody who opens the database needs.

`training.settings` adds the training side's to them, `bot.settings` the bot's own.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment (`FILLBOT_…`, and `.env`). Frozen; build it once, in `main()`."""

    model_config = SettingsConfigDict(
        env_prefix="FILLBOT_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,  # the token may be in it
        frozen=True,
        populate_by_name=True,
    )

    home: Path = Field(
        default=Path(".fillbot"), description="Folder of the database, models, runs, backups and locks."
    )
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the database. Empty: fillbot.db in FILLBOT_HOME."
    )
    keep_backups: int = Field(
        default=7,
        ge=0,
        le=3650,
        description="Daily backups of the database that are kept, in FILLBOT_HOME/backups. 0: none is made.",
    )

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home / 'fillbot.db'}"

    @property
    def backups_dir(self) -> Path:
        """Folder of the backups."""
        return self.home / "backups"
