"""Splits text into sentences, and decides which ones are suitable for the corpus. Pure."""

import re

from storage.files.text import read_words
from storage.people.personal_data import find_personal_data
from training.corpus.language import cached_by_language, grammar, language

MIN_WORDS = 2
MAX_WORDS = 80
MAX_CHARS = 600

# Reasons for dropping a sentence.
UNREADABLE = "sentences with unreadable characters"
NO_LETTERS = "sentences without letters"
PRIVATE = "sentences with an address, a link or a long number"
SHORT = f"sentences of fewer than {MIN_WORDS} words"
LONG = f"sentences of more than {MAX_WORDS} words or {MAX_CHARS} characters"


# NLTK, the only splitter among the installed libraries, needs a downloaded model.
NAMES_WITH_PERIODS = frozenset({"fly.by"})  # "Nike Fly.By Mid"
DOMAINS = frozenset({"com", "net", "org", "io", "co"})

_NEAR = 64  # characters of context on each side of a mark, so that the time stays linear in the text
_END = re.compile(r"(?<![.!?…])(?P<marks>[.!?…]++)(?P<closers>[\"'”’)\]»]*+)(?P<gap>\s*+)(?=\S)")
_ORPHANS = ",;:.…)!? "  # marks that cannot begin a sentence
_OPENERS = "\"'“‘([«"
_FUSED_START = re.compile(r"[\"“(]?(?:[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ'’]|[AI]\s|[A-Z]{2,}['’\s]|[A-Z]{3})")
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_INITIAL = re.compile(r"[A-Z]\.")
_WORD = re.compile(r"\w*[^\W\d_]\w*(?:['’-]\w+)*")
_LETTER = re.compile(r"[^\W\d_]")
_LINK = re.compile(r"https?://|\bwww\.")


def split_sentences(text: str) -> list[str]:
    """Split a block of clean text into sentences, each with its final punctuation."""
    found, start = [], 0
    for match in _END.finditer(text):
        if _is_end(text, start, match):
            found.append(text[start : match.end("closers")])
            start = match.end()
    stripped = (sentence.lstrip(_ORPHANS).rstrip() for sentence in [*found, text[start:]])
    return [sentence for sentence in stripped if sentence]


def end_with_period(sentence: str) -> str:
    """Add a period if the sentence ends in a word, a number or a bracket."""
    core = sentence.rstrip("\"'”’)]» ")
    return f"{sentence}." if core and (core[-1].isalnum() or core[-1] in "%°+®™") else sentence


def rejection_reason(sentence: str) -> str | None:
    """Return why a sentence is not suitable for the corpus, or None if it is."""
    if "\ufffd" in sentence:
        return UNREADABLE
    if not _LETTER.search(sentence):
        return NO_LETTERS
    if len(sentence) > MAX_CHARS:
        return LONG
    if _LINK.search(sentence) or find_personal_data(sentence):
        return PRIVATE
    words = len(_WORD.findall(sentence))
    if words < MIN_WORDS:
        return SHORT
    return LONG if words > MAX_WORDS else None


def _is_end(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the marks end the sentence that began at `start`."""
    marks, closers = match["marks"], match["closers"]
    before = text[max(start, match.start() - _NEAR) : match.start()].split()
    after = text[match.end() : match.end() + _NEAR]
    token = before[-1] if before else ""
    if not match["gap"]:
        return _is_end_without_space(token.lstrip(_OPENERS), marks, after)
    opening = after.lstrip(_OPENERS)[:1]
    if closers and opening.islower():  # "Really?" she asked
        return False
    if "!" in marks or "?" in marks:
        return True
    if len(marks) > 1 or marks == "…":
        return not opening.islower()
    return _is_period(token.lstrip(_OPENERS), alone=len(before) == 1, after=after, opening=opening)


def _is_period(word: str, *, alone: bool, after: str, opening: str) -> bool:
    """Whether a single period followed by a space ends a sentence."""
    rules, lower = grammar(), word.lower()
    following = after.split(maxsplit=1)[0]
    first = following.strip(_OPENERS + ".,!?:;)").lower().replace("’", "'")
    if lower in rules.never_last or (alone and word.isdigit()):  # "1. Open the box."
        return False
    if lower in rules.not_before_numbers and opening.isdigit():
        return False
    if opening.islower() and (
        lower in rules.not_before_small or _ACRONYM.fullmatch(lower) or len(lower) == 1
    ):
        return lower == "i"
    if lower not in rules.not_before_small and (
        _ACRONYM.fullmatch(word) or (len(word) == 1 and word.isupper())
    ):
        return word == "I" or (first in rules.first_words and not _INITIAL.fullmatch(following))
    return True


def _is_end_without_space(word: str, marks: str, after: str) -> bool:
    """Whether marks without a space after them end a sentence, as in "too small.Very comfortable"."""
    if not word or "://" in word or word.lower().startswith("www."):
        return False
    if "!" in marks or "?" in marks:
        return after[0].isalpha()
    if marks == ".":
        last, tail = word[-1], re.split(r"\W", after, maxsplit=1)[0].lower()
        if tail in DOMAINS or f"{word}.{tail}".lower() in NAMES_WITH_PERIODS:
            return False
        if not (last.islower() or last.isdigit() or last in ")%'’\"”" or (len(word) > 1 and word.isupper())):
            return False
    return _FUSED_START.match(after) is not None


@cached_by_language
def stop_words() -> frozenset[str]:
    """Read the words that every text has, whatever its topic. Lower case."""
    return frozenset(read_words(language().stop_words) if language().stop_words.exists() else ())
