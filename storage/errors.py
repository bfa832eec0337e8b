"""Errors of the storage package.

StorageError
├── DatabaseUrlError           the setting names no database that can be used
├── DatabaseUnavailableError   the file cannot be opened, read or written
└── DatabaseTooNewError        written by a newer version of fillbot
"""


class StorageError(Exception):
    """Anything the database cannot do; the text says what to do about it."""


class DatabaseUrlError(StorageError):
    """FILLBOT_DATABASE_URL cannot be understood, or needs a driver that is not here."""

    def __init__(self, reason: str) -> None:
        """Build the sentence from the reason; the URL itself may hold a password."""
        super().__init__(
            f"FILLBOT_DATABASE_URL cannot be used ({reason}). Leave it empty for a file in FILLBOT_HOME, or "
            "write it as sqlite+aiosqlite:////folder/fillbot.db."
        )


class DatabaseUnavailableError(StorageError):
    """The database cannot be opened, read or written."""

    def __init__(self, where: str, reason: str) -> None:
        """Build the sentence from the database's place and the driver's reason."""
        self.where, self.reason = where, reason
        super().__init__(
            f"The database at {where} cannot be used ({reason}). Check that the disk has free space and that "
            "this user may write to FILLBOT_HOME, then try again; nothing was stored, nothing was lost."
        )


class DatabaseTooNewError(StorageError):
    """The schema carries a revision that this version of the code does not know."""

    def __init__(self, where: str) -> None:
        """Build the sentence from the database's place."""
        super().__init__(
            f"The database at {where} was written by a newer version of fillbot. "
            "Update this copy, or point FILLBOT_HOME at another folder."
        )
