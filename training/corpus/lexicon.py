"""The word lists of the generated sentences, from the folder `words/` of a language.

The items of a list are separated by commas. A list under `ranked` is sorted from the most to the least usual
word, and the probability of a word falls with its rank. Under `led` the first word is drawn half of the time,
the others by rank. The items of a list under `even` are equally likely.

    CorpusError(ValueError)
    ├── WordFileError      a word file is invalid
    ├── PatternError       a pattern cannot be read (slots.py)
    └── UnknownTopicError  no pattern has that topic (generator.py)
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from training.corpus.language import cached_by_language, language
from training.corpus.yaml_files import read_yaml

RANK_OFFSET = 1.0  # rank i (from 0) has weight 1 / (i + 1): the first of 25 words is drawn 26 % of the time
MAX_REDRAWS = 12  # attempts to find a word that the sentence does not contain yet

Polarity = Literal["+", "-"]
Form = Literal["singular", "plural", "mass"]


class CorpusError(ValueError):
    """A data file of the corpus, or a request to the generator, is invalid."""


class WordFileError(CorpusError):
    """A word file is invalid."""

    def __init__(self, where: str, *, problem: str) -> None:
        super().__init__(f"{where}: {problem}. Correct the file under words/ and try again.")


@dataclass(frozen=True, slots=True)
class WordList:
    """Weighted words.

    Attributes:
        words: The items, which may contain spaces ("half marathon").
        cumulative: Cumulative weights of the items.
    """

    words: tuple[str, ...]
    cumulative: tuple[float, ...]

    def pick(self, rng: random.Random, *, used: Iterable[str] = ()) -> str:
        """Draw a word, if possible one that is not in `used` (lower case)."""
        word = self.words[0]
        for _ in range(MAX_REDRAWS):
            word = rng.choices(self.words, cum_weights=self.cumulative)[0]
            if word.lower() not in used:
                break
        return word


@dataclass(frozen=True, slots=True)
class Aspect:
    """A quality of a product or a service, with the words of both polarities."""

    name: str
    positive: WordList
    negative: WordList
    weight: float

    def words_of(self, polarity: Polarity) -> WordList:
        """Return the words of one polarity."""
        return self.positive if polarity == "+" else self.negative


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a product, with its possible faults and strengths."""

    singular: str
    plural: str | None
    faults: WordList
    strengths: WordList


@dataclass(frozen=True, slots=True)
class ProductGroup:
    """A kind of product, with the aspects that apply and the parts that it has."""

    name: str
    aspects: frozenset[str]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product in its existing forms: a shoe, shoes; trousers (no singular); sportswear (mass only).

    Attributes:
        gender: Of the singular, in languages with genders: `m`, `f` or `n`; else empty.
    """

    singular: str | None
    plural: str | None
    mass: str | None
    group: ProductGroup
    weight: float
    singular_weight: float
    gender: str = ""

    def form(self, form: Form) -> str | None:
        """Return the product's name in one form, or None if that does not exist."""
        return {"singular": self.singular, "plural": self.plural, "mass": self.mass}[form]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The content of all word files."""

    lists: Mapping[str, WordList]
    aspects: Mapping[str, Aspect]
    products: tuple[Product, ...]
    aliases: Mapping[str, frozenset[str]]  # family such as "clothing" → names of groups

    @property
    def product_aspects(self) -> frozenset[str]:
        """Names of the aspects of at least one group of products."""
        return frozenset().union(*(product.group.aspects for product in self.products))

    def groups_of(self, names: str) -> frozenset[str]:
        """Resolve "footwear" or "tops|bags" to names of groups."""
        found: set[str] = set()
        for name in names.split("|"):
            found |= self.aliases.get(name, frozenset({name}))
        return frozenset(found)


def _items(text: object, *, where: str) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise WordFileError(where, problem="expected words separated by commas")
    items = tuple(" ".join(item.split()) for item in text.split(","))
    if "" in items:
        raise WordFileError(where, problem="an item is empty; look for two commas in a row or one at the end")
    counts = Counter(item.lower() for item in items)
    if twice := sorted(item for item, count in counts.items() if count > 1):
        raise WordFileError(where, problem=f"listed twice: {', '.join(twice)}")
    return items


def _ranks(count: int) -> list[float]:
    """Return weights by rank."""
    return [1 / (place + RANK_OFFSET) for place in range(count)]


def _word_list(text: object, kind: str = "ranked", *, where: str) -> WordList:
    words = _items(text, where=where)
    weights = _ranks(len(words))
    if kind == "even":
        weights = [1.0] * len(words)
    elif kind == "led":
        weights[0] = sum(weights[1:])
    return WordList(words, tuple(accumulate(weights)))


def _entries(path: Path, content: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield name, content and place of the entries of a file."""
    for name, entry in content.items():
        yield name, entry, f"{path.name}, {name}"


def _read_aspects(path: Path) -> dict[str, Aspect]:
    return {
        name: Aspect(
            name,
            positive=_word_list(entry["positive"], where=where),
            negative=_word_list(entry["negative"], where=where),
            weight=float(entry.get("weight", 1)),
        )
        for name, entry, where in _entries(path, read_yaml(path))
    }


def _read_parts(path: Path) -> dict[str, Part]:
    return {
        name: Part(
            name,
            plural=entry.get("plural"),
            faults=_word_list(entry["faults"], where=where),
            strengths=_word_list(entry["strengths"], where=where),
        )
        for name, entry, where in _entries(path, read_yaml(path))
    }


def _read_products(
    path: Path, groups: Mapping[str, Any], aspects: Mapping[str, Aspect], parts: Mapping[str, Part]
) -> Iterator[Product]:
    for name, entry, where in _entries(path, groups):
        its_aspects = _items(entry["aspects"], where=where)
        its_parts = _items(entry["parts"], where=where) if "parts" in entry else ()
        unknown = [a for a in its_aspects if a not in aspects] + [p for p in its_parts if p not in parts]
        if unknown:
            raise WordFileError(where, problem=f"no such aspect or part: {', '.join(unknown)}")
        group = ProductGroup(name, frozenset(its_aspects), tuple(parts[part] for part in its_parts))
        items = _items(entry["items"], where=where)
        ranks = _ranks(len(items))
        for item, rank in zip(items, ranks, strict=True):
            singular, slash, plural = item.partition("/")
            singular, _, gender = singular.partition(":")
            weight = float(entry.get("weight", 1)) * rank / sum(ranks)
            yield Product(
                singular=singular if slash and singular else None,
                plural=plural or None,
                mass=None if slash else item,
                group=group,
                weight=weight,
                singular_weight=weight * float(entry.get("singular", 1)),
                gender=gender if slash else "",
            )


def _read_lists(folder: Path) -> dict[str, WordList]:
    lists: dict[str, WordList] = {}
    for path in sorted(folder.glob("*.yaml")):
        for kind, content in read_yaml(path).items():
            for name, text, where in _entries(path, content):
                if name in lists:
                    raise WordFileError(where, problem="this list exists already")
                lists[name] = _word_list(text, kind, where=where)
    return lists


@cached_by_language
def load_lexicon() -> Lexicon:
    """Read all word files of the corpus's language. Cached; the first call takes about 20 ms.

    Without word files, every list is empty.

    Raises:
        WordFileError: A file names an unknown aspect or part, or lists a word twice.
    """
    if not language().has_words:
        return Lexicon({}, {}, (), {})
    folder = language().words
    aspects = _read_aspects(folder / "products" / "aspects.yaml")
    parts = _read_parts(folder / "products" / "parts.yaml")
    path = folder / "products" / "products.yaml"
    content = read_yaml(path)
    return Lexicon(
        lists=_read_lists(folder),
        aspects=aspects,
        products=tuple(_read_products(path, content["groups"], aspects, parts)),
        aliases={
            name: frozenset(_items(text, where=where))
            for name, text, where in _entries(path, content["families"])
        },
    )


@cached_by_language
def wanted_words() -> frozenset[str]:
    """Return all positive words of the lexicon's aspects, in lower case."""
    return frozenset(
        word.lower() for aspect in load_lexicon().aspects.values() for word in aspect.positive.words
    )


@cached_by_language
def unwanted_words() -> frozenset[str]:
    """Return all negative words of the lexicon's aspects that are positive in none, in lower case."""
    bad = {word.lower() for aspect in load_lexicon().aspects.values() for word in aspect.negative.words}
    return frozenset(bad - wanted_words())


def polarity_of(word: str) -> int:
    """1 for a wanted word, −1 for an unwanted one, else 0. Lower case."""
    return int(word in wanted_words()) - int(word in unwanted_words())
