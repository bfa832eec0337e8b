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
├── TooLargeError          a file is larger than Discord takes
├── PictureError           a picture could not be drawn
├── NotListedError         the bot does not work in this server
├── UnknownCommandError    there is no such command
├── StaleMenuError         a menu or button that belongs to nothing any more
├── QuizError              a button of a quiz that this person cannot press
│   ├── NotYourQuizError
│   └── QuizMovedOnError
├── WordError              a suggested word that cannot be taken
│   ├── NotAWordError
│   ├── NoRoomError
│   └── DeniedWordError
├── NotAdminError          the command is for admins
├── MissingPermissionError the bot may not show a reply; its text names the permission
└── WordRanksError            other model versions could not be asked

NotSentError               Discord did not take a reply, so there is no way to tell anything
├── CannotWriteError       the bot may not write in the channel
└── LostReplyError         Discord did not say whether it has the reply
"""

from collections.abc import Sequence

from discord.ext import commands

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

    def __init__(self, prefix: str, *, guess: str = "") -> None:
        """Build the reply; `guess`: the person's own sentence with a blank in it."""
        if guess:
            super().__init__(say("errors.no_mask_guess", prefix=prefix, example=guess))
        else:
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


class TooLargeError(BotError):
    """A file is larger than Discord takes."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("privacy.too_large"))


class PictureError(BotError):
    """A picture could not be drawn; its text says why."""


class NotListedError(BotError, commands.CheckFailure):
    """The bot does not work in this server, or for this person."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.not_listed"))


class UnknownCommandError(BotError):
    """There is no such command."""

    def __init__(self, prefix: str) -> None:
        """Build the reply."""
        super().__init__(say("errors.unknown_command", prefix=prefix))


class StaleMenuError(BotError):
    """A menu or button that belongs to nothing any more."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.stale_menu"))


class QuizError(BotError):
    """A button of a quiz that this person cannot press."""


class NotYourQuizError(QuizError):
    """Somebody else is quizzed."""

    def __init__(self, prefix: str) -> None:
        """Build the reply."""
        super().__init__(say("errors.not_your_quiz", prefix=prefix))


class QuizMovedOnError(QuizError):
    """The sentence is not the one that was offered last."""

    def __init__(self, prefix: str) -> None:
        """Build the reply."""
        super().__init__(say("errors.quiz_moved_on", prefix=prefix))


class WordError(BotError):
    """A suggested word that cannot be taken."""


class NotAWordError(WordError):
    """It is no single word of letters."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.not_a_word"))


class EmptyFormError(WordError):
    """The form for suggestions was sent without any."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.empty_form"))


class NoRoomError(WordError):
    """The menus of the reply are full."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.no_room"))


class DeniedWordError(WordError):
    """It is on the list of words that are never offered."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.denied_word"))


class NotAdminError(BotError, commands.CheckFailure):
    """The command is for admins."""

    def __init__(self, role_names: Sequence[str]) -> None:
        """Build the reply; names the roles that would do, where there are any."""
        needed = say("errors.manage_server")
        for name in reversed(role_names):
            needed = say("errors.or", first=say("errors.a_role", name=name), second=needed)
        super().__init__(say("errors.not_admin", needed=needed))


class WordRanksError(BotError):
    """Other model versions could not be asked."""

    def __init__(self) -> None:
        """Build the reply."""
        super().__init__(say("errors.no_look"))


class MissingPermissionError(BotError):
    """The bot may write, but not show what it has to show."""

    def __init__(self, permission: str) -> None:
        """Take the permission's name as Discord's settings show it."""
        super().__init__(say("errors.missing_permission", permission=permission))


class NotSentError(Exception):
    """A reply that Discord did not take, so that no other is tried."""


class CannotWriteError(NotSentError):
    """The bot may not write in this channel."""

    def __init__(self, permissions: Sequence[str]) -> None:
        """Take the names of the missing permissions."""
        super().__init__(f"missing {', '.join(permissions)}")


class LostReplyError(NotSentError):
    """Whether Discord took the reply is not known, and it did not say so again and again."""

    def __init__(self, cause: BaseException) -> None:
        """Take what was heard instead."""
        super().__init__(f"{type(cause).__name__}: {cause}")
