"""The slots of a pattern: how each is filled, and how the words are joined to a sentence."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from training.corpus.language import grammar
from training.corpus.lexicon import MAX_REDRAWS, Aspect, Form, Part, Polarity, Product, WordList

_ARTICLE = re.compile(r"\b([Aa])n? $")
_VOWEL_SOUND = re.compile(
    r"(?!uni(?!m|n)|us[aeiu]|u[kt][aei]|eu|one\b|once)[aeiou]|hour|honest|honou?r|heir|8|11\b|18\b"
    r"|x+l\b|xs\b|sms\b|fm\b|mp3",
    re.IGNORECASE,
)
MAIN = "main"  # label of the product that a pattern is about


Aspects = Mapping[frozenset[str], tuple[tuple[Aspect, ...], tuple[float, ...]]]


@dataclass(slots=True)
class SentenceState:
    """The sentence that is being written: the choices made so far, and a method per kind of slot."""

    rng: random.Random
    used: set[str]
    products: dict[str, Product] = field(default_factory=dict)
    labelled: dict[str, str] = field(default_factory=dict)
    aspects: list[Aspect] = field(default_factory=list)
    part: Part | None = None

    def word(self, words: WordList, label: str | None = None) -> str:
        """Draw a word that the sentence does not contain yet, or repeat the one drawn under the label."""
        if label is not None and label in self.labelled:
            return self.labelled[label]
        word = words.pick(self.rng, used=self.used)
        self.used.add(word.lower())
        if label is not None:
            self.labelled[label] = word
        return word

    def product(self, forms: tuple[Form, ...], label: str) -> str:
        """Name a product in the first of the forms that it has."""
        return next(name for form in forms if (name := self.products[label].form(form)))

    def agreement(self, plural: str, singular: str) -> str:
        """Choose the form of a verb or pronoun that agrees with the product."""
        return plural if self.products[MAIN].plural else singular

    def gendered(self, words: Mapping[str, str]) -> str:
        """Choose the form of an article or pronoun by the gender of the product."""
        return words[self.products[MAIN].gender]

    def part_word(self, kind: str) -> str:
        """Name a part of the product (`part`, `parts`), or draw a `fault` or `strength` of it."""
        if self.part is None:
            parts = self.products[MAIN].group.parts
            self.part = self.rng.choice([part for part in parts if part.plural or kind != "parts"])
        if kind == "fault":
            return self.word(self.part.faults)
        if kind == "strength":
            return self.word(self.part.strengths)
        return self.part.plural if kind == "parts" and self.part.plural else self.part.singular

    def aspect_word(self, polarity: Polarity, aspect: Aspect) -> str:
        """Draw a word of an aspect."""
        self.aspects.append(aspect)
        return self.word(aspect.words_of(polarity))

    def same_aspect_word(self, polarity: Polarity) -> str:
        """Draw a word of the aspect used last."""
        return self.aspect_word(polarity, self.aspects[-1])

    def any_aspect_word(self, polarity: Polarity, choices: Aspects) -> str:
        """Draw a word of an aspect that applies to all products of the sentence, if possible a new one."""
        groups = frozenset(product.group.name for product in self.products.values())
        aspects, cumulative = choices[groups]
        aspect = aspects[0]
        for _ in range(MAX_REDRAWS):
            aspect = self.rng.choices(aspects, cum_weights=cumulative)[0]
            if aspect not in self.aspects:
                break
        return self.aspect_word(polarity, aspect)


Piece = Callable[[SentenceState], str]


def starts_with_vowel_sound(word: str) -> bool:
    """Whether the word takes "an": an hour, an old shoe, but a user, a one-off."""
    return _VOWEL_SOUND.match(word) is not None


def append_words(text: str, following: str) -> str:
    """Append words to a sentence, and correct the article before them and their capital."""
    if not following:
        return text
    may_end_in_article = text[-2:] in ("a ", "A ", "n ") and grammar().has_a_and_an
    if may_end_in_article and (article := _ARTICLE.search(text)):
        text = text[: article.start()] + article[1] + ("n " if starts_with_vowel_sound(following) else " ")
    if not text or text.endswith((". ", "! ", "? ")):
        following = following[0].upper() + following[1:]
    return text + following
