"""The recipes of the domain model: which texts are learnt how often, and what is held in place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.domain.corpus import GENERATED, CorpusText
from training.generated_suite import unwanted_words, wanted_words
from training.vocabulary import WORD

OWN_COPIES = 3  # the team's own texts are few beside the generated ones


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a domain model is made.

    Attributes:
        name: as it is asked for.
        about: one line for people.
        has_corpus: learns from the whole corpus.
        edge_copies: how often each of UpTrain's edge cases is added to it; 0 where they are not looked for.
        is_contrasted: is held to the base on complaints and negations, and lets no unwanted word among the best
            where a wanted one stands.
        can_serve: may become the domain model; others are made for comparison.
    """

    name: str
    about: str
    has_corpus: bool
    edge_copies: int
    is_contrasted: bool
    can_serve: bool = True

    def texts(self, corpus: Sequence[CorpusText], edge_cases: Sequence[int]) -> list[CorpusText]:
        """The texts of an epoch; `edge_cases` are indices into `corpus`."""
        texts = list(corpus) if self.has_corpus else []
        texts += [text for text in texts if text.source != GENERATED] * (OWN_COPIES - 1)
        texts += [corpus[i] for i in edge_cases] * self.edge_copies
        return [_with_pole(text) for text in texts] if self.is_contrasted else texts


def _with_pole(text: CorpusText) -> CorpusText:
    """The text with its pole, where its focus is a wanted or an unwanted word.

    A text without a focus gets one: the first such word it has.
    """
    spans = [text.focus] if text.focus else [match.span() for match in re.finditer(WORD, text.text)]
    for span in spans:
        word = text.text[slice(*span)].lower()
        if word in wanted_words() or word in unwanted_words():
            return replace(text, focus=span, pole=1 if word in wanted_words() else -1)
    return text


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("full", "the whole corpus (the original's v1)", True, 0, is_contrasted=False),
        Recipe("curated", "the whole corpus, UpTrain's edge cases five times over, held", True, 5, True),
        Recipe("curated-only", "UpTrain's edge cases alone (the original's v2)", False, 1, False, False),
    )
}
