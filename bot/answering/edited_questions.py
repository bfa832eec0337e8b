"""Maps recent questions to their replies, so that an edited question is answered again.

The map is kept in memory only: questions from before the start are not answered again.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import discord

from bot.voting.message_locks import MessageLocks

EDITABLE_FOR = timedelta(minutes=10)
REMEMBERED = 2000  # questions


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """The content of a question when it was answered, and the reply to it."""

    content: str
    reply: discord.Message
    at: float


class EditedQuestions:
    """Remembers the reply to each question of the last minutes."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_at = datetime.now(UTC)
        self._answered: OrderedDict[int, AnsweredQuestion] = OrderedDict()
        self.locks = MessageLocks()  # of questions: they order the first answer, edits and deletion

    def note(self, question: discord.Message, reply: discord.Message) -> None:
        """Remember the latest reply to a question."""
        self._answered[question.id] = AnsweredQuestion(question.content, reply, self._clock())
        self._answered.move_to_end(question.id)
        while len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)

    def answered(self, question_id: int) -> AnsweredQuestion | None:
        """Return the question as it was answered; None if it was not, or more than `EDITABLE_FOR` ago."""
        known = self._answered.get(question_id)
        return known if known and self._clock() - known.at <= EDITABLE_FOR.total_seconds() else None

    def is_recent(self, question: discord.Message) -> bool:
        """Whether a question without an answer may still get one after an edit."""
        asked_at = question.created_at
        return asked_at >= self._started_at and datetime.now(UTC) - asked_at <= EDITABLE_FOR

    def forget(self, question_id: int) -> None:
        """Remove a question."""
        self._answered.pop(question_id, None)
