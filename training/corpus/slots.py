"""The pieces of a compiled pattern, and how their words are joined to a sentence."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from training.corpus.lexicon import MAX_REDRAWS, Aspect, Form, Part, Polarity, Product, WordList

_ARTICLE = re.compile(r"\b([Aa])n? $")
_VOWEL_SOUND = re.compile(
    r"(?!uni(?!m|n)|us[aeiu]|u[kt][aei]|eu|one\b|once)[aeiou]|hour|honest|honou?r|heir|8|11\b|18\b"
    r"|x+l\b|xs\b|sms\b|fm\b|mp3",
    re.IGNORECASE,
)
MAIN = "main"  # label of the product that a pattern is about


@dataclass(slots=True)
class SentenceState:
    """The choices made so far in the sentence that is being written."""

    rng: random.Random
    used: set[str]
    products: dict[str, Product] = field(default_factory=dict)
    labelled: dict[str, str] = field(default_factory=dict)
    aspects: list[Aspect] = field(default_factory=list)
    part: Part | None = None

    def pick(self, words: WordList) -> str:
        """Draw a word that the sentence does not contain yet."""
        word = words.pick(self.rng, used=self.used)
        self.used.add(word.lower())
        return word


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Literal text."""

    text: str

    def render(self, draft: SentenceState) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True, slots=True)
class ListPiece:
    """A word from a list."""

    words: WordList
    label: str | None

    def render(self, draft: SentenceState) -> str:
        """Draw a word, or repeat the one drawn under the same label."""
        if self.label is None:
            return draft.pick(self.words)
        if self.label not in draft.labelled:
            draft.labelled[self.label] = draft.pick(self.words)
        return draft.labelled[self.label]


@dataclass(frozen=True, slots=True)
class ProductPiece:
    """A product's name."""

    forms: tuple[Form, ...]
    label: str

    def render(self, draft: SentenceState) -> str:
        """Return the name of the product that the sentence is about."""
        product = draft.products[self.label]
        return next(name for form in self.forms if (name := product.form(form)))


@dataclass(frozen=True, slots=True)
class AgreementPiece:
    """A verb or pronoun that agrees with the product."""

    plural: str
    singular: str

    def render(self, draft: SentenceState) -> str:
        """Return the form for the product's number."""
        return self.plural if draft.products[MAIN].plural else self.singular


@dataclass(frozen=True, slots=True)
class PartPiece:
    """A part of the product, or a fault or strength of it."""

    kind: str
    plural: bool

    def render(self, draft: SentenceState) -> str:
        """Return the part's name, or a word that fits it."""
        if draft.part is None:
            parts = draft.products[MAIN].group.parts
            draft.part = draft.rng.choice([part for part in parts if part.plural or not self.plural])
        if self.kind == "fault":
            return draft.pick(draft.part.faults)
        if self.kind == "strength":
            return draft.pick(draft.part.strengths)
        return draft.part.plural if self.plural and draft.part.plural else draft.part.singular


@dataclass(frozen=True, slots=True)
class AspectPiece:
    """A word of one polarity of an aspect: a named aspect, any that applies, or the one used last."""

    polarity: Polarity
    named: Aspect | None
    repeats: bool
    choices: Mapping[frozenset[str], tuple[tuple[Aspect, ...], tuple[float, ...]]]

    def render(self, draft: SentenceState) -> str:
        """Draw a word of the aspect."""
        aspect = self.named or (draft.aspects[-1] if self.repeats else self._choose(draft))
        draft.aspects.append(aspect)
        return draft.pick(aspect.words_of(self.polarity))

    def _choose(self, draft: SentenceState) -> Aspect:
        groups = frozenset(product.group.name for product in draft.products.values())
        aspects, cumulative = self.choices[groups]
        aspect = aspects[0]
        for _ in range(MAX_REDRAWS):
            aspect = draft.rng.choices(aspects, cum_weights=cumulative)[0]
            if aspect not in draft.aspects:
                break
        return aspect


Piece = TextPiece | ListPiece | ProductPiece | AgreementPiece | PartPiece | AspectPiece


def starts_with_vowel_sound(word: str) -> bool:
    """Whether the word takes "an": an hour, an old shoe, but a user, a one-off."""
    return _VOWEL_SOUND.match(word) is not None


def append_words(text: str, following: str) -> str:
    """Append words to a sentence, and correct the article before them and their capital."""
    if not following:
        return text
    if text[-2:] in ("a ", "A ", "n ") and (article := _ARTICLE.search(text)):
        text = text[: article.start()] + article[1] + ("n " if starts_with_vowel_sound(following) else " ")
    if not text or text.endswith((". ", "! ", "? ")):
        following = following[0].upper() + following[1:]
    return text + following
