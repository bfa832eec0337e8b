"""Which words may be offered, recorded in every version so that serving needs no corpus; and the team's own.

`stylish`, `good-looking`, `overpriced` are several pieces to BERT, so no single mask could ever be answered
with them. `new_words` finds such words; the domain model learns them as whole tokens.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.files.text import read_words
from training.corpus.language import cached_by_language, language
from training.inference.encoder import Encoder
from training.inference.words import BERT_TOKENS, SpecialTokens, Words

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


@cached_by_language
def denied_words() -> frozenset[str]:
    """Return the shipped words that are never offered, in lower case; a team can deny more. Cached."""
    path = language().denied
    return frozenset(word.lower() for word in read_words(path)) if path.exists() else frozenset()


def is_word(token: str) -> bool:
    """Whether a text is a whole word that a person could mean; words of one letter depend on the language."""
    if len(token) < 2 and token not in SHORT_WORDS:
        return _SIGN.fullmatch(token) is not None
    return WORD.fullmatch(token) is not None


def one_letter_words(vocabulary: Collection[str]) -> frozenset[str]:
    """Return the words of one letter in the languages that a vocabulary knows, in both cases."""
    letters = "".join(
        letters
        for letters, evidence in _ONE_LETTER_WORDS
        if all(any(spelling in vocabulary for spelling in word) for word in evidence)
    )
    return SHORT_WORDS.union(letters, letters.upper())


def offered_ids(words: Words, *, denied: Iterable[str] = ()) -> list[int]:
    """Canonical token ids that may be offered, ascending: whole words that are not denied in any case."""
    refused = {word.lower() for word in denied}
    usual = dict(words.usual())
    short = one_letter_words({word.lower() for word in usual})
    return sorted(
        token
        for word, token in usual.items()
        if (is_word(word) or word in short) and word.lower() not in refused
    )


def write(
    folder: Path,
    offered_ids: list[int],
    *,
    max_tokens: int,
    precision: str,
    special_tokens: SpecialTokens = BERT_TOKENS,
    agreement: Mapping[str, Any] | None = None,
    quantization: Mapping[str, Any] | None = None,
) -> None:
    """Write `vocabulary.json`: the words that a version offers, and how it serves.

    Args:
        folder: the version's folder.
        offered_ids: token ids that may be offered.
        max_tokens: number of tokens that the model reads.
        precision: fp32 or int8.
        special_tokens: the tokenizer's.
        agreement: agreement of int8 with fp32, if it was measured.
        quantization: how the int8 graph was made, if there is one.
    """
    content = {
        "max_tokens": max_tokens,
        "precision": precision,
        "special_tokens": special_tokens.to_json(),
        "agreement": agreement,
        "quantization": quantization,
        "offered": offered_ids,
    }
    (folder / "vocabulary.json").write_text(json.dumps(content) + "\n")


def new_words(
    encoder: Encoder, texts: Sequence[str], named: Iterable[str] = (), *, min_count: int
) -> list[str]:
    """Find words that are several tokens however they are spelled, most frequent first.

    Args:
        encoder: the encoder of a base model. If it is cased, a word is returned as the texts spell it mostly,
            otherwise in lower case.
        texts: the corpus.
        named: words to include however rare they are.
        min_count: how often any other word must occur in the texts. A word seen a few times cannot be learnt,
            and every word costs a row of the vocabulary.
    """
    counts = Counter(word for text in texts for word in WORD.findall(text.lower()))
    wanted = {word.lower() for word in named if WORD.fullmatch(word)}
    wanted |= {word for word, count in counts.items() if count >= min_count}
    found = sorted((w for w in wanted if not re.search("['’]", w)), key=lambda w: (-counts[w], w))
    if not encoder.is_cased:
        return [word for word, is_split in zip(found, _are_split(encoder, found), strict=True) if is_split]
    for change in (str.lower, str.capitalize, str.upper):
        spelled = [change(word) for word in found]
        found = [w for w, is_split in zip(found, _are_split(encoder, spelled), strict=True) if is_split]
    usual = _usual_spellings(texts)
    return [usual.get(word, word) for word in found]


def _are_split(encoder: Encoder, words: Sequence[str]) -> list[bool]:
    return [len(ids) > 1 or ids == [encoder.words.unk] for ids in encoder.pieces_of(words)]


def _usual_spellings(texts: Iterable[str]) -> dict[str, str]:
    """Word in lower case → its most frequent spelling; the first word of a text does not count."""
    counts = Counter(match.group() for text in texts for match in WORD.finditer(text) if match.start())
    return {word.lower(): word for word, _ in reversed(counts.most_common())}
