"""Text → `Query`: find the masks, normalise, check. Pure.

What is stored differs from what the model sees: personal data is masked before anything reaches the database.
"""

import re
from dataclasses import dataclass

from bot.answering.chat_text import plain_sentence
from bot.errors import NoMaskError, OnlyMasksError, QueryTooLongForChatError, TooManyMasksError
from storage.people.personal_data import mask_personal_data
from training.inference.encoder import MASK, finished, query_hash

END = re.compile(r"[ ,]+")


@dataclass(frozen=True, slots=True)
class Query:
    """A query that can be answered.

    Attributes:
        text: what the model sees: masks spelled `[MASK]`, single spaces, ends in punctuation.
        stored: what is kept: `text` without personal data.
        hash: of `stored`, without case and final period: the same question has the same hash.
        masks: how many.
    """

    text: str
    stored: str
    hash: str
    masks: int


def parse_query(text: str, *, max_chars: int, max_masks: int, prefix: str = "!") -> Query:
    """Check and normalise what a person typed.

    Raises:
        QueryError: it cannot be answered; the text says what to change.
    """
    text = plain_sentence(text)
    if len(text) > max_chars:
        raise QueryTooLongForChatError(len(text), max_chars)
    masks = text.count(MASK)
    if masks == 0:
        raise NoMaskError(prefix, guess=with_blank(text))
    if masks > max_masks:
        raise TooManyMasksError(masks, max_masks)
    if not any(c.isalnum() for c in text.replace(MASK, "")):
        raise OnlyMasksError
    while (whole := finished(plain_sentence(text))) != text:  # its period may follow a backslash
        text = whole
    stored = mask_personal_data(text)
    return Query(text, stored, query_hash(stored), masks)


def with_blank(text: str) -> str:
    """Return the sentence with a blank at its end; an empty text where there is no word in it."""
    core = text.rstrip(" .!?;:,\"')")
    if not any(c.isalnum() for c in core):
        return ""
    return f"{core} {MASK}{END.sub('', text[len(core) :])}"
