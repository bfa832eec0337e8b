"""The recipes of the domain model: which texts are learnt how often, and whether the poles are told apart."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.corpus.domain_corpus import GENERATED, CorpusText
from training.corpus.lexicon import unwanted_words, wanted_words
from training.inference.vocabulary import WORD

OWN_COPIES = 3  # the team's own texts are few beside the generated ones
# Beside five copies of every edge case complaints would be too few to answer, plain English to remember.
BLAME_COPIES, EVERYDAY_COPIES = 2, 3
EVERYDAY = "retention"  # how the reasons of plain English begin


@dataclass(frozen=True, slots=True)
class DomainRecipe:
    """How a domain model is made.

    Attributes:
        name: as it is asked for.
        has_corpus: learns from the whole corpus.
        edge_copies: how often each of UpTrain's edge cases is added to it; 0 where they are not looked for.
        has_polarity: learns which words belong to praise, and which to complaints and negations.
        can_serve: may become the domain model; others are made for comparison.
    """

    name: str
    has_corpus: bool
    edge_copies: int
    has_polarity: bool
    can_serve: bool = True

    def texts(self, corpus: Sequence[CorpusText], edge_cases: Sequence[int]) -> list[CorpusText]:
        """The texts to draw from, as often as they count; `edge_cases` are indices into `corpus`."""
        texts = list(corpus) if self.has_corpus else []
        texts += [text for text in texts if text.source != GENERATED] * (OWN_COPIES - 1)
        texts += [corpus[i] for i in edge_cases] * self.edge_copies
        if not self.has_polarity:
            return texts
        texts = [_with_polarity(text) for text in texts]
        blame = [text for text in texts if text.polarity < 0]
        everyday = [text for text in texts if text.reason.startswith(EVERYDAY)]
        return texts + blame * (BLAME_COPIES - 1) + everyday * (EVERYDAY_COPIES - 1)


def _with_polarity(text: CorpusText) -> CorpusText:
    """The text with its polarity, where its focus is a wanted or an unwanted word.

    A text without a focus gets one: the first such word it has.
    """
    spans = [text.focus] if text.focus else [match.span() for match in re.finditer(WORD, text.text)]
    for span in spans:
        word = text.text[slice(*span)].lower()
        if word in wanted_words() or word in unwanted_words():
            return replace(text, focus=span, polarity=1 if word in wanted_words() else -1)
    return text


# The original's v1, ours, and the original's v2.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        DomainRecipe("full", has_corpus=True, edge_copies=0, has_polarity=False),
        DomainRecipe("curated", has_corpus=True, edge_copies=5, has_polarity=True),
        DomainRecipe("curated-only", has_corpus=False, edge_copies=1, has_polarity=False, can_serve=False),
    )
}
