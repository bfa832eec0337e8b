"""The language of the team's sentences: a folder `languages/CODE/` with everything that is written in it.

    patterns/, patterns/starter/   sentence patterns (generator.py); some are for the starter alone
    words/                         word lists of the patterns (lexicon.py)
    suites/                        suites, texts and behaviour tests that models are judged by
    stop_words.txt, denied.txt     words without a topic; words that are never offered
    grammar.yaml                   what reading and checking sentences takes
    examples.yaml                  sentences that replies and the page show as examples

A process works in one language, which its entry point sets with `reading`, as `bot.texts.speaking` sets that
of the replies. It is English until then.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from storage.sentences import Sentence
from training.corpus.yaml_files import read_yaml

FOLDER = Path(__file__).parent / "languages"
DEFAULT = "en"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grammar:
    """What reading and checking sentences of a language takes; without a file, nothing is known.

    Attributes:
        name: The English name of the language; empty if there is no file.
        has_a_and_an: Whether the article "a" becomes "an" before a vowel.
        drops_accents: Whether the starter reads letters without their accents.
        nouns_are_capital: Whether a capital within a sentence is usual.
        joins_brands: Whether a brand may be joined to a product, as in "Nike-Schuhe".
        never_last, not_before_numbers, not_before_small: Abbreviations that never end a sentence; not before
            a number; not before a lower-case letter.
        first_words: Words after which an acronym or an initial ends a sentence.
        usual_words: Words of which a long text has at least one.
        query_stop_words: Words that do not make a query new.
        denials, links: Words that deny; words between a denial and what it denies.
        too: Words that make the word after them a complaint.
        denying_phrases, harmless_phrases, blaming_phrases: Patterns of phrases, joined by bars.
    """

    name: str = ""
    has_a_and_an: bool = False
    drops_accents: bool = False
    nouns_are_capital: bool = False
    joins_brands: bool = False
    never_last: frozenset[str] = frozenset()
    not_before_numbers: frozenset[str] = frozenset()
    not_before_small: frozenset[str] = frozenset()
    first_words: frozenset[str] = frozenset()
    usual_words: frozenset[str] = frozenset()
    query_stop_words: frozenset[str] = frozenset()
    denials: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    too: frozenset[str] = frozenset()
    denying_phrases: str = ""
    harmless_phrases: str = ""
    blaming_phrases: str = ""


@dataclass(frozen=True, slots=True)
class Examples:
    """What replies and the page show of the language, and what the model reads where Discord shows a name.

    Attributes:
        example: A sentence with one mask; `word` fits it.
        two_masks: A sentence with two masks.
        somebody, everybody, channel: For a person, a role and a channel.
        compared: Queries that a comparison of versions shows.
    """

    example: str
    word: str
    two_masks: str
    somebody: str
    everybody: str
    channel: str
    compared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CorpusLanguage:
    """The files of a language, which need not exist."""

    code: str

    @property
    def folder(self) -> Path:
        """The folder of all its files."""
        return FOLDER / self.code

    @property
    def patterns(self) -> Path:
        """The folder of the patterns that every model learns."""
        return self.folder / "patterns"

    @property
    def starter_patterns(self) -> Path:
        """The folder of the patterns that only the starter learns."""
        return self.patterns / "starter"

    @property
    def words(self) -> Path:
        """The folder of the word lists."""
        return self.folder / "words"

    @property
    def suites(self) -> Path:
        """The folder of suites, texts and behaviour tests."""
        return self.folder / "suites"

    @property
    def has_words(self) -> bool:
        """Whether there are lists of good and bad words."""
        return (self.words / "products" / "aspects.yaml").is_file()

    @property
    def missing(self) -> list[Sentence]:
        """The files that the language lacks, by what they are for."""
        needed = {
            Sentence("sentence patterns"): self.patterns,
            Sentence("lists of good and bad words"): self.words / "products" / "aspects.yaml",
            Sentence("suites"): self.suites / "control.jsonl",
            Sentence("behaviour tests"): self.suites / "behaviour.yaml",
            Sentence("denied words"): self.denied,
            Sentence("grammar"): self.folder / "grammar.yaml",
        }
        return [name for name, path in needed.items() if not path.exists()]

    @property
    def stop_words(self) -> Path:
        """The file of the words that every text has."""
        return self.folder / "stop_words.txt"

    @property
    def denied(self) -> Path:
        """The file of the words that are never offered."""
        return self.folder / "denied.txt"


_read = CorpusLanguage(DEFAULT)


def language() -> CorpusLanguage:
    """Return the language that this process works in."""
    return _read


@contextlib.contextmanager
def reading(code: str) -> Iterator[CorpusLanguage]:
    """Set the language of the whole process, and set it back at the end of the block."""
    global _read  # not a ContextVar: it must hold in threads and in tasks that discord.py starts, too
    before, _read = _read, CorpusLanguage(code)
    try:
        yield _read
    finally:
        _read = before


def cached_by_language(read: Callable[[], T]) -> Callable[[], T]:
    """Call a function once for each language."""

    @functools.cache
    def of(_language: CorpusLanguage) -> T:
        return read()

    @functools.wraps(read)
    def current() -> T:
        return of(_read)

    return current


@cached_by_language
def grammar() -> Grammar:
    """Read the grammar of the language that this process works in. Cached."""
    path = _read.folder / "grammar.yaml"
    if not path.exists():
        return Grammar()
    is_list = {field.name: field.default == frozenset() for field in fields(Grammar)}
    entries: dict[str, Any] = {
        name: frozenset(value.split()) if is_list[name] else value for name, value in read_yaml(path).items()
    }
    return Grammar(**entries)


@cached_by_language
def examples() -> Examples:
    """Read the examples of this process's language; the English ones if it has none. Cached."""
    path = _read.folder / "examples.yaml"
    content = read_yaml(path if path.exists() else CorpusLanguage(DEFAULT).folder / "examples.yaml")
    return Examples(**{**content, "compared": tuple(content["compared"])})
