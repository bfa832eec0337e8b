"""Parses what a person typed into a `Query`: finds the masks, normalises, validates. Pure.

The stored text may differ from the model's input: personal data is masked before anything is stored.
"""

import re
from dataclasses import dataclass

from bot.answering.chat_text import plain_sentence
from bot.errors import NoMaskError, OnlyMasksError, QueryTooLongForChatError, TooManyMasksError
from storage.people.personal_data import has_placeholder, mask_personal_data
from training.inference.encoder import MASK, finished, query_hash

END = re.compile(r"[ ,]+")
MEANT = re.compile(r"(?<=\w)\s+(?:mask|blank)$", re.IGNORECASE)  # a word, or the blank without its brackets


@dataclass(frozen=True, slots=True)
class Query:
    """A query that can be answered.

    Attributes:
        text: The model's input: masks spelled `[MASK]`, single spaces, final punctuation.
        stored: `text` without personal data.
        hash: Of `stored`, ignoring case and a final period, so that equal questions share a hash.
        masks: How many masks it has.
    """

    text: str
    stored: str
    hash: str
    masks: int

    @property
    def is_private(self) -> bool:
        """Whether it holds personal data, or a placeholder for it, so that votes on it do not count.

        A stored text may be asked again: different queries look alike then, and their votes must not mix.
        """
        return has_placeholder(self.stored)


def parse_query(text: str, *, max_chars: int, max_masks: int, prefix: str = "!") -> Query:
    """Validate and normalise what a person typed.

    Raises:
        QueryError: It cannot be answered; the text says what to change.
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
    # Repeatedly, as the added period may unescape a final backslash.
    while (whole := finished(plain_sentence(text))) != text:
        text = whole
    stored = mask_personal_data(text)
    return Query(text, stored, query_hash(stored), masks)


def with_blank(text: str) -> str:
    """Return the sentence with a blank appended; an empty string if it has no word."""
    core = text.rstrip(" .!?;:,\"')")
    if not any(c.isalnum() for c in core):
        return ""
    return f"{MEANT.sub('', core)} {MASK}{END.sub('', text[len(core) :])}"
