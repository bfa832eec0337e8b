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
├── PictureError           a picture could not be drawn
└── NotAdminError          the command is for admins
"""

from collections.abc import Sequence

from bot.texts import say

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
        super().__init__(say("errors.no_mask", prefix=prefix, example=say("example")))


class TooManyMasksError(QueryError):
    """More masks than one query may hold."""

    def __init__(self, masks: int, max_masks: int) -> None:
        """Build the reply."""
        super().__init__(say("errors.too_many_masks", masks=masks, max_masks=max_masks))


class OnlyMasksError(QueryError):
    """There is no word beside the masks."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.only_masks", example=say("example")))


class QueryTooLongForChatError(QueryError):
    """More characters than one query may hold."""

    def __init__(self, chars: int, max_chars: int) -> None:
        """Build the reply."""
        super().__init__(say("errors.too_long", chars=chars, max_chars=max_chars))


class BusyError(QueryError):
    """More queries wait than may wait."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.busy"))


class RunBusyError(BotError):
    """A run is in progress already."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.run_busy"))


class PictureError(BotError):
    """A picture could not be drawn; its text says why."""


class NotAdminError(BotError):
    """The command is for admins."""

    def __init__(self, role_names: Sequence[str]) -> None:
        """Build the reply; names the roles that would do, where there are any."""
        needed = say("errors.manage_server")
        for name in reversed(role_names):
            needed = say("errors.or", first=say("errors.a_role", name=name), second=needed)
        super().__init__(say("errors.not_admin", needed=needed))
