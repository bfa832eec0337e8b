"""Text → `Query`: find the masks, normalise, check. Pure.

What is stored differs from what the model sees: e-mail addresses, phone numbers, long numbers and mentions
are replaced before anything reaches the database.
"""

import re
import unicodedata
from dataclasses import dataclass

from bot.errors import NoMaskError, OnlyMasksError, QueryTooLongForChatError, TooManyMasksError
from training.encoder import MASK, MASK_PATTERN, finished, query_hash

INVISIBLE = re.compile(  # with the letters and the Braille pattern that people send for an empty message
    r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad\u115f\u1160\u180e\u2800\u3164\uffa0]"
)
PRIVATE = (
    (re.compile(r"<(?:@[!&]?|#)\d+>|@(?:everyone|here)(?![^\W\d_])"), "[mention]"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[email]"),
    (re.compile(r"(?<!\w)\+?\(?\d(?:[\s().\-/]{0,2}\d){6,}(?!\w)"), "[phone]"),
    (re.compile(r"\d{5,}"), "[number]"),
)


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
    text = " ".join(MASK_PATTERN.sub(MASK, visible(text)).split())
    if len(text) > max_chars:
        raise QueryTooLongForChatError(len(text), max_chars)
    masks = text.count(MASK)
    if masks == 0:
        raise NoMaskError(prefix)
    if masks > max_masks:
        raise TooManyMasksError(masks, max_masks)
    if not any(c.isalnum() for c in text.replace(MASK, "")):
        raise OnlyMasksError
    text = finished(text)
    stored = without_personal_data(text)
    return Query(text, stored, query_hash(stored), masks)


def visible(text: str) -> str:
    """The text as people see it: no invisible characters, single spaces."""
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)
    return " ".join(text.split())


def had_personal_data(stored: str) -> bool:
    """Whether something was replaced in a query before it was stored: the rest is not worth asking again."""
    return any(name in stored for _, name in PRIVATE)


def without_personal_data(text: str) -> str:
    """The text with mentions, e-mail addresses, phone numbers and long numbers replaced."""
    for pattern, name in PRIVATE:
        text = pattern.sub(name, text)
    return text
