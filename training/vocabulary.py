"""Which words may be offered, recorded in every version so that serving needs no corpus."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

# Letters of any script, joined by single hyphens or apostrophes: no piece, digit, punctuation or [unused7].
WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
SHORT_WORDS = frozenset({"a", "i", "A", "I"})


def is_word(token: str) -> bool:
    """Whether a vocabulary entry is a whole word that a person could mean."""
    if len(token) < 2 and token not in SHORT_WORDS:
        return False
    return WORD.fullmatch(token) is not None


def offered(vocabulary: Mapping[str, int], *, denied: Iterable[str] = ()) -> list[int]:
    """Token ids that may be offered, ascending: whole words that are not denied."""
    refused = {word.lower() for word in denied}
    return sorted(
        token for word, token in vocabulary.items() if is_word(word) and word.lower() not in refused
    )


def write(folder: Path, offered_ids: list[int], *, max_tokens: int, precision: str) -> None:
    """Record the words of a version in `vocabulary.json`."""
    content = {"max_tokens": max_tokens, "precision": precision, "offered": offered_ids}
    (folder / "vocabulary.json").write_text(json.dumps(content) + "\n")
