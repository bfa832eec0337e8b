"""The recipes of the domain model: which texts are learnt how often, and what is held in place."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.domain.corpus import CorpusText
from training.generated_suite import wanted_words
from training.vocabulary import WORD

DEFAULT_RECIPE = "curated"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a domain model is made.

    Attributes:
        name: as it is asked for.
        about: one line for people.
        has_corpus: learns from the whole corpus.
        edge_copies: how often each of UpTrain's edge cases is added to it; 0 where they are not looked for.
        is_held: is held to the base on complaints and negations, and lets no unwanted word among the best
            where a wanted one stands.
        can_serve: may become the domain model; others are made for comparison.
    """

    name: str
    about: str
    has_corpus: bool
    edge_copies: int
    is_held: bool
    can_serve: bool = True

    def texts(self, corpus: Sequence[CorpusText], edge_cases: Sequence[int]) -> list[CorpusText]:
        """The texts of an epoch; `edge_cases` are indices into `corpus`."""
        texts = list(corpus) if self.has_corpus else []
        if self.has_corpus and self.edge_copies and (cc := int(os.environ.get("CC", "0"))):
            from training.domain.losses import HELD_REASONS

            texts += [t for t in corpus if t.reason.startswith(HELD_REASONS)] * cc
        kept = [corpus[i] for i in edge_cases]
        return texts + (list(map(as_praise, kept)) if self.is_held else kept) * self.edge_copies


def as_praise(text: CorpusText) -> CorpusText:
    """The text with its focus on a wanted word: its own where that is one, else the first it has."""
    good = wanted_words()
    spans = [text.focus] if text.focus else []
    spans += [match.span() for match in re.finditer(WORD, text.text)]
    for span in spans:
        if text.text[slice(*span)].lower() in good:
            return replace(text, focus=span, is_praise=True)
    return text


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("full", "the whole corpus (the original's v1)", True, 0, is_held=False),
        Recipe("curated", "the whole corpus, UpTrain's edge cases five times over, held", True, 5, True),
        Recipe("curated-only", "UpTrain's edge cases alone (the original's v2)", False, 1, False, False),
    )
}
