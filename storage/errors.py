"""Errors of the storage package.

StorageError
├── SettingsError              invalid setting
├── DatabaseUrlError           invalid database URL
│   └── DatabaseDriverError    PostgreSQL driver not installed
├── DatabaseUnavailableError   file cannot be opened, read or written
│   ├── DatabaseDamagedError   file is corrupt or not a database
│   └── DatabaseServerError    server refused a request
│       └── DatabaseLostError  server unreachable or connection lost
├── DatabaseTooNewError        schema of a newer version of fillbot
├── BackupError                backup failed
├── RestoreError               restore failed
├── InUseError                 bot or run has the database open
├── SourceExistsError          judgements imported under this name before
├── UnknownSourceError         no judgements imported under this name
├── PredictionGoneError        prediction deleted before a vote on it was stored
├── LockHeldError              lock held by another process
├── LockLostError              session that held a lock ended
├── CopyError                  copy to a server failed
└── HalfCopiedError            unfinished copy on a server
"""

from pathlib import Path

from storage.sentences import TranslatableError


class StorageError(TranslatableError):
    """Base class. The message says what to do."""


class SettingsError(StorageError):
    """A setting is invalid; the process ends with exit code 78. The reason names it and shows no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The settings cannot be used: {reason.rstrip('.')}. See .env.example.")


class PredictionGoneError(StorageError):
    """A prediction was deleted by an erasure request or by retention before a vote on it was stored."""

    def __init__(self) -> None:
        super().__init__("The question was deleted meanwhile, so no vote on it can be stored.")


class SourceExistsError(StorageError):
    """Judgements were imported under this name before; nothing was stored."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Judgements were already imported as {name}. Choose another name, or undo the earlier import "
            "first."
        )


class UnknownSourceError(StorageError):
    """No judgements were imported under this name."""

    def __init__(self, name: str, known: str) -> None:
        super().__init__(f"Nothing was imported as {name}. Imports that can be undone: {known}.")


class DatabaseUrlError(StorageError):
    """FILLBOT_DATABASE_URL is invalid. The reason never contains the URL, which may hold a password."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"FILLBOT_DATABASE_URL cannot be used ({reason}). Leave it empty for a file in FILLBOT_HOME, or "
            "write it as sqlite+aiosqlite:////folder/fillbot.db, or as postgresql+asyncpg://user:password@host/name."
        )


class DatabaseDriverError(DatabaseUrlError):
    """The URL names PostgreSQL, but asyncpg is not installed."""

    def __init__(self) -> None:
        super().__init__("its driver is not installed: run `pip install 'fillbot[cluster]'`")


class DatabaseUnavailableError(StorageError):
    """The database cannot be opened, read or written. `where` never contains a password."""

    _template = (
        "The database at {where} cannot be used ({reason}). Check that the disk has free space and that this "
        "user may write to FILLBOT_HOME, then try again. No data was written."
    )

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(self._template.format(where=where, reason=reason))


class DatabaseDamagedError(DatabaseUnavailableError):
    """The file is damaged; the bot recovers it at its next start."""

    _template = (
        "The database at {where} is damaged ({reason}). The bot recovers it at its next start if there is a "
        "backup or if rows can still be read. Otherwise restore a copy (`python -m storage restore`), or "
        "move the file away to start with an empty database."
    )


class DatabaseServerError(DatabaseUnavailableError):
    """The server refused a request: missing permissions, no such database, no disk space."""

    _template = (
        "The database at {where} cannot be used ({reason}). Check FILLBOT_DATABASE_URL and the server's log: "
        "the database must exist, and the user needs permission to create tables. No data was written."
    )


class DatabaseLostError(DatabaseServerError):
    """The server was unreachable for several seconds, or the connection was lost during a transaction.

    `is_rolled_back` is False when the connection was lost during the commit, so that its outcome is unknown.
    """

    _template = (
        "The database at {where} cannot be reached ({reason}). Check that the server is running and "
        "reachable from this machine, then try again. "
    )

    def __init__(self, where: str, reason: str, *, is_rolled_back: bool = True) -> None:
        self.is_rolled_back = is_rolled_back
        self._template += (
            "No data was written." if is_rolled_back else "The last change may have been written."
        )
        super().__init__(where, reason)


class DatabaseTooNewError(StorageError):
    """The schema has a revision that this version of fillbot does not know."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"The database at {where} was written by a newer version of fillbot. "
            "Update this copy, or point FILLBOT_HOME at another folder."
        )


class BackupError(StorageError):
    """A backup failed; `next_step` is a sentence that says what to do."""

    def __init__(self, reason: str, next_step: str) -> None:
        self.reason = reason
        super().__init__(f"The database could not be backed up: {reason}. {next_step}")


class RestoreError(StorageError):
    """A backup cannot be restored; the database is unchanged."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(
            f"{file} cannot be restored ({reason}). The database is unchanged. Choose another backup: "
            "`python -m storage check` lists them."
        )


class InUseError(StorageError):
    """The bot or a run has the database open."""

    def __init__(self, home: Path, who: str) -> None:
        super().__init__(f"{who} is using {home}. Stop it, then try again. Nothing was changed.")


class LockHeldError(StorageError):
    """Another process holds the lock; `holder` is its HOST:PID, if known."""

    def __init__(self, name: str, application: str | None = None) -> None:
        self.name, self.application = name, application
        parts = (application or "").split()
        self.holder = parts[1] if len(parts) == 3 and parts[0] == "fillbot" else None
        super().__init__(
            f"The lock “{name}” is held by another process ({self.holder or 'on this machine'}). Try "
            "again later."
        )


class LockLostError(StorageError):
    """The session that held a lock ended."""

    def __init__(self, name: str, holder: str | None = None) -> None:
        now = f"; {holder} has it now" if holder else ""
        super().__init__(
            f"The connection to PostgreSQL that held the lock “{name}” was lost{now}. Nothing was changed "
            "after that. Try again."
        )


class CopyError(StorageError):
    """The database cannot be copied; rows copied so far stay, and the next attempt resumes from there."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The database could not be copied: {reason}. Run the command again to resume.")


class HalfCopiedError(StorageError):
    """The database is an unfinished copy: the next pass would delete rows written to it before."""

    def __init__(self) -> None:
        super().__init__(
            "FILLBOT_DATABASE_URL names an unfinished copy. Stop the bot that uses the source, run "
            "`python -m storage copy` once more, then start the bot."
        )
