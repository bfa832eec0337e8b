"""Errors of the bot package. People read the text of each `BotError`.

BotError
├── StartError             the app cannot start; carries the exit code
├── QueryError             a query cannot be answered as it is
│   ├── NoMaskError
│   ├── TooManyMasksError
│   ├── OnlyMasksError
│   ├── QueryTooLongForChatError
│   ├── AuthorOptedOutError
│   ├── NoMoreWordsError
│   └── BusyError              too many queries are in flight
├── RunBusyError           a run is already in progress
├── DecisionError          a version cannot be promoted or kept out by a button; the text says why
├── ImportFileError        a file of judgements cannot be imported; the text says why
├── TooLargeError          a file exceeds Discord's limit
├── PictureError           a picture could not be drawn
├── NotListedError         the bot does not work in this server
├── UnknownCommandError    the command does not exist
├── StaleMenuError         a menu or button does not belong to a known reply
├── WordError              a suggested word cannot be accepted
│   ├── NotAWordError
│   ├── EmptyFormError
│   ├── NoRoomError
│   └── DeniedWordError
├── NotAdminError          the command is for admins only
├── MissingPermissionError the bot may not show a reply; the text names the permission
└── WordRanksError         the earlier model versions could not be loaded

NotSentError               Discord did not accept a reply, so no other is attempted
├── CannotWriteError       the bot may not write in the channel
└── LostReplyError         Discord did not confirm the reply
"""

from collections.abc import Sequence

import aiohttp
import discord
from discord.ext import commands

from bot.texts import say
from storage.settings import EX_CONFIG
from training.corpus.language import examples

EX_UNAVAILABLE = 69  # of sysexits.h: a service is missing
# What a request to Discord raises if it is refused or Discord is unreachable.
DISCORD_ERRORS = (discord.DiscordException, aiohttp.ClientError, OSError)


class BotError(Exception):
    """An error whose text is shown to people."""


class StartError(BotError):
    """The app cannot start; carries the exit code."""

    def __init__(self, sentence: str, *, exit_code: int = EX_CONFIG) -> None:
        self.exit_code = exit_code
        super().__init__(sentence)


class QueryError(BotError):
    """A query cannot be answered as it is."""


class NoMaskError(QueryError):
    """The query has no mask; `guess` is the query with a blank appended, if that makes sense."""

    def __init__(self, prefix: str, *, guess: str = "") -> None:
        if guess:
            super().__init__(say("errors.no_mask_guess", prefix=prefix, example=guess))
        else:
            super().__init__(say("errors.no_mask", prefix=prefix, example=examples().example))


class TooManyMasksError(QueryError):
    """The query has too many masks."""

    def __init__(self, masks: int, max_masks: int) -> None:
        super().__init__(say("errors.too_many_masks", masks=masks, max_masks=max_masks))


class OnlyMasksError(QueryError):
    """The query has no word besides its masks."""

    def __init__(self) -> None:
        super().__init__(say("errors.only_masks", example=examples().example))


class QueryTooLongForChatError(QueryError):
    """The query has too many characters."""

    def __init__(self, chars: int, max_chars: int) -> None:
        super().__init__(say("errors.too_long", chars=chars, max_chars=max_chars))


class AuthorOptedOutError(QueryError):
    """The author of the sentence, who is not the asker, opted out."""

    def __init__(self) -> None:
        super().__init__(say("errors.author_opted_out"))


class NoMoreWordsError(QueryError):
    """All candidates of the query were shown."""

    def __init__(self) -> None:
        super().__init__(say("errors.no_more_words"))


class BusyError(QueryError):
    """Too many queries are in flight."""

    def __init__(self) -> None:
        super().__init__(say("errors.busy"))


class RunBusyError(BotError):
    """A run is already in progress."""

    def __init__(self) -> None:
        super().__init__(say("errors.run_busy"))


class ImportFileError(BotError):
    """A file of judgements cannot be imported; the text says why."""


class DecisionError(BotError):
    """A version cannot be promoted or kept out by a button; the text says why."""


class TooLargeError(BotError):
    """A file exceeds Discord's limit."""

    def __init__(self) -> None:
        super().__init__(say("privacy.too_large"))


class PictureError(BotError):
    """A picture could not be drawn; the text says why."""


class NotListedError(BotError, commands.CheckFailure):
    """The bot does not work in this server, or for this person."""

    def __init__(self) -> None:
        super().__init__(say("errors.not_listed"))


class UnknownCommandError(BotError):
    """The command does not exist."""

    def __init__(self, prefix: str) -> None:
        super().__init__(say("errors.unknown_command", prefix=prefix))


class StaleMenuError(BotError):
    """A menu or button does not belong to a known reply."""

    def __init__(self) -> None:
        super().__init__(say("errors.stale_menu"))


class WordError(BotError):
    """A suggested word cannot be accepted; the text names it."""


class NotAWordError(WordError):
    """It is not a single word of letters."""

    def __init__(self, word: str) -> None:
        super().__init__(say("errors.not_a_word", word=word))


class EmptyFormError(WordError):
    """The form was sent without a word."""

    def __init__(self) -> None:
        super().__init__(say("errors.empty_form"))


class NoRoomError(WordError):
    """The menus of the reply are full."""

    def __init__(self, word: str) -> None:
        super().__init__(say("errors.no_room", word=word))


class DeniedWordError(WordError):
    """The word is on the deny-list."""

    def __init__(self, word: str) -> None:
        super().__init__(say("errors.denied_word", word=word))


class NotAdminError(BotError, commands.CheckFailure):
    """The command is for admins only."""

    def __init__(self, role_names: Sequence[str]) -> None:
        needed = say("errors.manage_server")
        for name in reversed(role_names):
            needed = say("errors.or", first=say("errors.a_role", name=name), second=needed)
        super().__init__(say("errors.not_admin", needed=needed))


class WordRanksError(BotError):
    """The earlier model versions could not be loaded."""

    def __init__(self) -> None:
        super().__init__(say("errors.no_word_ranks"))


class MissingPermissionError(BotError):
    """The bot may write here, but not show this reply."""

    def __init__(self, permission: str) -> None:
        super().__init__(say("errors.missing_permission", permission=permission))


class NotSentError(Exception):
    """Discord did not accept a reply, so no other is attempted."""


class CannotWriteError(NotSentError):
    """The bot may not write in this channel."""

    def __init__(self, permissions: Sequence[str]) -> None:
        super().__init__(f"missing {', '.join(permissions)}")


class LostReplyError(NotSentError):
    """Discord did not confirm a reply, after several attempts."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
