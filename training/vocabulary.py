"""Which words may be offered, recorded in every version so that serving needs no corpus; and the team's own.

`stylish`, `good-looking`, `overpriced` are several pieces to BERT, so no single mask could ever be answered
with them. `new_words` finds such words; the domain model learns them as whole tokens.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

# Letters of any script, joined by single hyphens or apostrophes: no piece, digit, punctuation or [unused7].
WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
SHORT_WORDS = frozenset({"a", "i", "A", "I"})
DENIED_WORDS = Path(__file__).with_name("denied.txt")


def denied_words() -> list[str]:
    """Words that are never offered and that no vote can teach."""
    lines = DENIED_WORDS.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


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


def write(
    folder: Path,
    offered_ids: list[int],
    *,
    max_tokens: int,
    precision: str,
    agreement: Mapping[str, Any] | None = None,
) -> None:
    """Record the words of a version in `vocabulary.json`, and the numbers it serves with.

    Args:
        folder: the version's.
        offered_ids: token ids that may be offered.
        max_tokens: that the model reads.
        precision: fp32 or int8.
        agreement: of int8 with fp32, where that was measured.
    """
    content = {
        "max_tokens": max_tokens,
        "precision": precision,
        "agreement": agreement,
        "offered": offered_ids,
    }
    (folder / "vocabulary.json").write_text(json.dumps(content) + "\n")


def new_words(
    tokenizer: Tokenizer, texts: Iterable[str], named: Iterable[str] = (), *, min_count: int
) -> list[str]:
    """Lower-case words that the tokenizer would take apart, the commonest in the texts first.

    Args:
        tokenizer: a base model's.
        texts: the corpus.
        named: words to take however rare they are.
        min_count: how often another word must stand in the texts. A word seen a few times cannot be learnt,
            and every word costs a row of the vocabulary.
    """
    counts = Counter(word for text in texts for word in WORD.findall(text.lower()))
    wanted = {word.lower() for word in named if WORD.fullmatch(word)}
    wanted |= {word for word, count in counts.items() if count >= min_count}
    found = sorted((w for w in wanted if not re.search("['’]", w)), key=lambda w: (-counts[w], w))
    encoded = tokenizer.encode_batch(found, add_special_tokens=False)
    unknown = tokenizer.token_to_id("[UNK]")
    return [word for word, e in zip(found, encoded, strict=True) if len(e.ids) > 1 or e.ids == [unknown]]
