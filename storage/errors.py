"""Errors of the storage package.

StorageError
├── SettingsError              a setting must be changed
├── DatabaseUrlError           the setting names no database that can be used
│   └── DatabaseDriverError    the driver of PostgreSQL is not installed
├── DatabaseUnavailableError   the file cannot be opened, read or written
│   ├── DatabaseDamagedError   what is in the file is no database, or not whole
│   └── DatabaseServerError    a server refuses what it is asked
│       └── DatabaseLostError  a server cannot be reached, or went away
├── DatabaseTooNewError        written by a newer version of fillbot
├── BackupError                a backup cannot be made
├── RestoreError               a backup cannot be restored
├── InUseError                 the bot or a run has the database open
├── PredictionGoneError        a prediction was deleted before a vote on it was stored
├── LockHeldError              somebody else holds a lock
├── LockLostError              a lock was lost while something was done under it
├── CopyError                  the database cannot be copied to a server
└── HalfCopiedError            a server's database is a copy that is not finished
"""

from pathlib import Path


class StorageError(Exception):
    """Anything the database cannot do; the text says what to do about it."""


class SettingsError(StorageError):
    """A setting cannot be used as it is written; a start with it ends with exit code 78."""

    def __init__(self, reason: str) -> None:
        """Build the sentence from the reason, which names the setting, and shows no secret."""
        super().__init__(f"The settings cannot be used: {reason.rstrip('.')}. See .env.example.")


class PredictionGoneError(StorageError):
    """A prediction was deleted, as who asked was forgotten or it was too old."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__("The question was deleted meanwhile, so no vote on it can be stored.")


class DatabaseUrlError(StorageError):
    """FILLBOT_DATABASE_URL cannot be understood, or needs a driver that is not here."""

    def __init__(self, reason: str) -> None:
        """Build the sentence from the reason; the URL itself may hold a password."""
        super().__init__(
            f"FILLBOT_DATABASE_URL cannot be used ({reason}). Leave it empty for a file in FILLBOT_HOME, or "
            "write it as sqlite+aiosqlite:////folder/fillbot.db, or as postgresql+asyncpg://user:password@host/name."
        )


class DatabaseDriverError(DatabaseUrlError):
    """PostgreSQL is named, and what speaks to it is not installed."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__("its driver is not installed: run `pip install 'fillbot[cluster]'`")


class DatabaseUnavailableError(StorageError):
    """The database cannot be opened, read or written."""

    def __init__(self, where: str, reason: str) -> None:
        """Build the sentence from the database's place and the driver's reason."""
        self.where, self.reason = where, reason
        super().__init__(
            f"The database at {where} cannot be used ({reason}). Check that the disk has free space and that "
            "this user may write to FILLBOT_HOME, then try again; nothing was stored, nothing was lost."
        )


class DatabaseDamagedError(DatabaseUnavailableError):
    """The file is damaged: the next start of the bot mends it."""

    def __init__(self, where: str, reason: str) -> None:
        """Build the sentence from the database's place and the driver's reason."""
        self.where, self.reason = where, reason
        StorageError.__init__(
            self,
            f"The database at {where} is damaged ({reason}). The start of the bot mends it where there is a "
            "backup, or anything in it can be read. Else restore a copy (`python -m storage restore`), or "
            "move it away to begin anew.",
        )


class DatabaseServerError(DatabaseUnavailableError):
    """A server refuses: no rights, no such database, no room."""

    def __init__(self, where: str, reason: str) -> None:
        """Build the sentence from the database's place, without any password, and the driver's reason."""
        self.where, self.reason = where, reason
        StorageError.__init__(
            self,
            f"The database at {where} cannot be used ({reason}). Look at FILLBOT_DATABASE_URL and at the "
            "server's log: the database must be there, and its user may make tables in it. Nothing was "
            "stored, nothing was lost.",
        )


class DatabaseLostError(DatabaseServerError):
    """A server could not be reached for some seconds, or went away in the middle.

    `is_rolled_back` is False where it went while it was told to commit: then nobody knows.
    """

    def __init__(self, where: str, reason: str, *, is_rolled_back: bool = True) -> None:
        """Build the sentence from the database's place, without any password, and the driver's reason."""
        self.where, self.reason, self.is_rolled_back = where, reason, is_rolled_back
        end = (
            "nothing was stored, nothing was lost"
            if is_rolled_back
            else "the last change may have been stored"
        )
        StorageError.__init__(
            self,
            f"The database at {where} cannot be reached ({reason}). Check that the server runs and that this "
            f"machine reaches it, then try again; {end}.",
        )


class DatabaseTooNewError(StorageError):
    """The schema carries a revision that this version of the code does not know."""

    def __init__(self, where: str) -> None:
        """Build the sentence from the database's place."""
        super().__init__(
            f"The database at {where} was written by a newer version of fillbot. "
            "Update this copy, or point FILLBOT_HOME at another folder."
        )


class BackupError(StorageError):
    """A backup cannot be made."""

    def __init__(self, reason: str, next_step: str) -> None:
        """Build the text from the reason and a sentence that says what to do."""
        self.reason = reason
        super().__init__(f"The database could not be backed up: {reason}. {next_step}")


class RestoreError(StorageError):
    """A backup cannot be restored; the database is as it was."""

    def __init__(self, file: Path, reason: str) -> None:
        """Build the text from the backup and the reason."""
        super().__init__(
            f"{file} cannot be restored ({reason}). The database is as it was. Take another backup: "
            "`python -m storage check` lists those that are there."
        )


class InUseError(StorageError):
    """The bot or a run has the database open."""

    def __init__(self, home: Path, who: str) -> None:
        """Build the text from the home and who works there."""
        super().__init__(f"{who} works in {home}. Stop it first, then try again; nothing was changed.")


class LockHeldError(StorageError):
    """Somebody else holds a lock; `holder` is HOST:PID where that is known."""

    def __init__(self, name: str, application: str | None = None) -> None:
        """Build the text from the lock's name and what its holder's session is called."""
        self.name, self.application = name, application
        parts = (application or "").split()
        self.holder = parts[1] if len(parts) == 3 and parts[0] == "fillbot" else None
        super().__init__(
            f"The lock “{name}” is held by another process ({self.holder or 'on this machine'}). Wait, then "
            "try again."
        )


class LockLostError(StorageError):
    """The session that held a lock ended."""

    def __init__(self, name: str, holder: str | None = None) -> None:
        """Build the text from the lock's name and who has it now."""
        now = f"; {holder} has it now" if holder else ""
        super().__init__(
            f"The connection to PostgreSQL that held the lock “{name}” was lost{now}. Nothing was changed "
            "after that. Try again."
        )


class CopyError(StorageError):
    """A database cannot be copied; what was copied so far stays, and the next try goes on from there."""

    def __init__(self, reason: str) -> None:
        """Build the text from the reason."""
        super().__init__(
            f"The database could not be copied: {reason}. What has come over stays: the same command goes on."
        )


class HalfCopiedError(StorageError):
    """Whoever would open the database now would lose what the next pass of the copy deletes."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__(
            "The database that FILLBOT_DATABASE_URL names is a copy that is not finished. Stop the bot that "
            "works on the source, run `python -m storage copy` once more, then start."
        )
