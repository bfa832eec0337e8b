"""Which words may be offered, recorded in every version so that serving needs no corpus; and the team's own.

`stylish`, `good-looking`, `overpriced` are several pieces to BERT, so no single mask could ever be answered
with them. `new_words` finds such words; the domain model learns them as whole tokens.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from storage.files.text import read_words

# `re` has no name for combining marks. Those of the historic scripts after U+ABEA occur in no vocabulary.
_MARKS = "".join(
    char for char in map(chr, range(0x300, 0xABEB)) if unicodedata.category(char) in ("Mn", "Mc")
)
_LETTERS = rf"(?:[^\W\d_][{_MARKS}]*)+"
# Letters of any script, joined by single hyphens or apostrophes: no piece, digit, punctuation or [unused7].
WORD = re.compile(rf"{_LETTERS}(?:[-'’]{_LETTERS})*")
SHORT_WORDS = frozenset("aiAI")
# Scripts in which one sign can be a word: Han, kana, Hangul.
_SIGN = re.compile("[\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003134f]")
# Words of one letter, by words that only a vocabulary of their language has, as it may spell them.
_ONE_LETTER_WORDS = (
    ("yoeuá", (("también", "tambien"), ("muy",), ("pero",))),  # Spanish
    ("eoàìòè", (("perché", "perche"), ("della",), ("anche",))),  # Italian
    ("àôyé", (("très", "tres"), ("avec",), ("être", "etre"))),  # French
    ("eoàéóê", (("não", "nao"), ("muito",), ("também", "tambem"))),  # Portuguese
    ("iwzou", (("jest",), ("się", "sie"), ("przez",))),  # Polish
    ("ivskzou", (("není", "neni"), ("jsou",), ("protože", "protoze"))),  # Czech
    ("åöiå", (("och",), ("är", "ar"), ("också", "ocksa"))),  # Swedish
    ("авикосуяёіїєйзжб", (("это", "что", "як", "який"), ("не",))),  # Cyrillic
    ("וה", (("של",), ("לא",))),  # Hebrew
    ("و", (("من",), ("في", "را"))),  # Arabic, Persian
    ("ऑओए", (("है",), ("में", "म"))),  # Hindi
    ("όηοω", (("και",), ("είναι", "ειναι"))),  # Greek
)
DENIED_WORDS = Path(__file__).with_name("denied.txt")


def denied_words() -> list[str]:
    """Return the shipped words that are never offered and that no vote can teach; a team can deny more."""
    return read_words(DENIED_WORDS)


def is_word(token: str) -> bool:
    """Whether a text is a whole word that a person could mean; words of one letter depend on the language."""
    if len(token) < 2 and token not in SHORT_WORDS:
        return _SIGN.fullmatch(token) is not None
    return WORD.fullmatch(token) is not None


def one_letter_words(vocabulary: Mapping[str, int]) -> frozenset[str]:
    """Return the words of one letter in the languages that a vocabulary knows, in both cases."""
    letters = "".join(
        letters
        for letters, evidence in _ONE_LETTER_WORDS
        if all(any(spelling in vocabulary for spelling in word) for word in evidence)
    )
    return SHORT_WORDS.union(letters, letters.upper())


def offered_ids(vocabulary: Mapping[str, int], *, denied: Iterable[str] = ()) -> list[int]:
    """Token ids that may be offered, ascending: whole words that are not denied."""
    refused = {word.lower() for word in denied}
    short = one_letter_words(vocabulary)
    return sorted(
        token
        for word, token in vocabulary.items()
        if (is_word(word) or word in short) and word.lower() not in refused
    )


def write(
    folder: Path,
    offered_ids: list[int],
    *,
    max_tokens: int,
    precision: str,
    agreement: Mapping[str, Any] | None = None,
    quantization: Mapping[str, Any] | None = None,
) -> None:
    """Write `vocabulary.json`: the words that a version offers, and how it serves.

    Args:
        folder: the version's folder.
        offered_ids: token ids that may be offered.
        max_tokens: number of tokens that the model reads.
        precision: fp32 or int8.
        agreement: agreement of int8 with fp32, if it was measured.
        quantization: how the int8 graph was made, if there is one.
    """
    content = {
        "max_tokens": max_tokens,
        "precision": precision,
        "agreement": agreement,
        "quantization": quantization,
        "offered": offered_ids,
    }
    (folder / "vocabulary.json").write_text(json.dumps(content) + "\n")


def new_words(
    tokenizer: Tokenizer, texts: Iterable[str], named: Iterable[str] = (), *, min_count: int
) -> list[str]:
    """Find words that the tokenizer splits, in lower case, most frequent first.

    Args:
        tokenizer: the tokenizer of a base model.
        texts: the corpus.
        named: words to include however rare they are.
        min_count: how often any other word must occur in the texts. A word seen a few times cannot be learnt,
            and every word costs a row of the vocabulary.
    """
    counts = Counter(word for text in texts for word in WORD.findall(text.lower()))
    wanted = {word.lower() for word in named if WORD.fullmatch(word)}
    wanted |= {word for word, count in counts.items() if count >= min_count}
    found = sorted((w for w in wanted if not re.search("['’]", w)), key=lambda w: (-counts[w], w))
    encoded = tokenizer.encode_batch(found, add_special_tokens=False)
    unknown = tokenizer.token_to_id("[UNK]")
    return [word for word, e in zip(found, encoded, strict=True) if len(e.ids) > 1 or e.ids == [unknown]]
