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

from storage.text_files import read_text

# Combining marks up to U+AAFF, with the letters between them; `re` has no name for them.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711-\u07b0\u07eb-\u07f3\u07fd"
    "\u0816-\u082d\u0859-\u085b\u0898-\u08e1\u08e3-\u0963\u0981-\u09e3\u09fe-\u0a51\u0a70-\u0a75"
    "\u0a81-\u0ae3\u0afa-\u0b63\u0b82-\u0bd7\u0c00-\u0c63\u0c81-\u0c83\u0cbc-\u0ce3\u0d00-\u0d4d"
    "\u0d57\u0d62-\u0d63\u0d81-\u0ddf\u0df2-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ecd"
    "\u0f18-\u0f19\u0f35\u0f37\u0f39\u0f3e-\u0f84\u0f86-\u0fbc\u0fc6\u102b-\u103e\u1056-\u108f"
    "\u109a-\u109d\u135d-\u135f\u1712-\u1734\u1752-\u17d3\u17dd\u1885-\u193b\u1a17-\u1a1b"
    "\u1a55-\u1a7f\u1ab0-\u1b44\u1b6b-\u1b73\u1b80-\u1bad\u1be6-\u1bf3\u1c24-\u1c37\u1cd0-\u1cd2"
    "\u1cd4-\u1dff\u302a-\u302f\u3099-\u309a\ua802-\ua827\ua880-\ua8c5\ua8e0-\ua8f1\ua926-\ua92d"
    "\ua947-\ua953\ua980-\ua9c0\uaa29-\uaa4d\uaaeb-\uaaef\uabe3-\uabea"
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
    """Words that are never offered and that no vote can teach."""
    lines = read_text(DENIED_WORDS).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


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


def offered(vocabulary: Mapping[str, int], *, denied: Iterable[str] = ()) -> list[int]:
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
