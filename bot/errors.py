"""Errors of the bot package. The text of each is what people read.

BotError
├── StartError             the app cannot start; carries an exit code
├── QueryError             a query that cannot be answered; its text is the reply
│   ├── NoMaskError
│   ├── TooManyMasksError
│   ├── OnlyMasksError
│   └── QueryTooLongForChatError
├── BusyError              more queries wait than may wait
├── RunBusyError           a run is in progress already
└── NotAdminError          the command is for admins
"""

from collections.abc import Sequence

EXAMPLE = "Nike shoes are very [MASK]"
EX_CONFIG, EX_UNAVAILABLE = 78, 69  # sysexits.h: wrong configuration, a service that is missing


class BotError(Exception):
    """Anything that people are told about."""


class StartError(BotError):
    """The app cannot start."""

    def __init__(self, sentence: str, *, exit_code: int = EX_CONFIG) -> None:
        """Take the one sentence for the last line, and the exit code."""
        self.exit_code = exit_code
        super().__init__(sentence)


class QueryError(BotError):
    """A query that cannot be answered as it is."""


class NoMaskError(QueryError):
    """There is nothing to fill."""

    def __init__(self, prefix: str) -> None:
        """Build the reply."""
        super().__init__(f"Put `[MASK]` where the word should stand, for example `{prefix}fill {EXAMPLE}`.")


class TooManyMasksError(QueryError):
    """More masks than one query may hold."""

    def __init__(self, masks: int, max_masks: int) -> None:
        """Build the reply."""
        super().__init__(f"That has {masks} blanks; please use at most {max_masks} `[MASK]` in one sentence.")


class OnlyMasksError(QueryError):
    """There is no word beside the masks."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(f"Please write some words around the blank, for example `{EXAMPLE}`.")


class QueryTooLongForChatError(QueryError):
    """More characters than one query may hold."""

    def __init__(self, chars: int, max_chars: int) -> None:
        """Build the reply."""
        super().__init__(f"That is {chars} characters; please keep it to {max_chars}: one sentence is best.")


class BusyError(QueryError):
    """More queries wait than may wait."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__("I am busy with many questions right now. Please ask again in a few seconds.")


class RunBusyError(BotError):
    """A run is in progress already."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__("A run is in progress already. Its verdict will be posted when it is done.")


class NotAdminError(BotError):
    """The command is for admins."""

    def __init__(self, role_names: Sequence[str]) -> None:
        """Build the reply; names the roles that would do, where there are any."""
        roles = " or ".join(f"the role “{name}”" for name in role_names)
        needed = f"{roles} or the right to manage the server" if roles else "the right to manage the server"
        super().__init__(f"Only admins can do that: it takes {needed}.")
