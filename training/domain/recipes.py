"""Recipes of the domain model: how often each text is learnt, and whether training uses word polarity."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.corpus.domain_corpus import GENERATED, CorpusText
from training.corpus.lexicon import polarity_of
from training.corpus.replay_sentences import EVERYDAY, EVERYDAY_COPIES
from training.inference.vocabulary import WORD

OWN_COPIES = 3  # the team's own texts are few compared with the generated ones
# Against five copies of every edge case, complaints and plain English would otherwise be too rare.
BLAME_COPIES = 2


@dataclass(frozen=True, slots=True)
class DomainRecipe:
    """How a domain model is trained.

    Attributes:
        name: The value of `--recipe`.
        has_corpus: Whether it learns from the whole corpus.
        edge_copies: How often each of UpTrain's edge cases is added; with 0 they are not even selected.
        has_polarity: Whether it learns which words belong to praise, and which to complaints and negations.
        can_serve: Whether it may become the domain model; other recipes are for comparison.
    """

    name: str
    has_corpus: bool
    edge_copies: int
    has_polarity: bool
    can_serve: bool = True

    def texts(self, corpus: Sequence[CorpusText], edge_cases: Sequence[int]) -> list[CorpusText]:
        """Return the training texts, repeated as the recipe says; `edge_cases` are indices into `corpus`."""
        texts = list(corpus) if self.has_corpus else []
        texts += [text for text in texts if text.source != GENERATED] * (OWN_COPIES - 1)
        texts += [corpus[i] for i in edge_cases] * self.edge_copies
        if not self.has_polarity:
            return texts
        texts = [_with_polarity(text) for text in texts]
        blame = [text for text in texts if text.polarity < 0]
        everyday = [text for text in texts if text.topic.startswith(EVERYDAY)]
        return texts + blame * (BLAME_COPIES - 1) + everyday * (EVERYDAY_COPIES - 1)


def _with_polarity(text: CorpusText) -> CorpusText:
    """Add the polarity if the focus is a wanted or an unwanted word.

    In a text without a focus, the first such word becomes the focus.
    """
    spans = [text.focus] if text.focus else [match.span() for match in re.finditer(WORD, text.text)]
    for span in spans:
        if polarity := polarity_of(text.text[slice(*span)].lower()):
            return replace(text, focus=span, polarity=polarity)
    return text


# `curated` is the default.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        DomainRecipe("full", has_corpus=True, edge_copies=0, has_polarity=False),
        DomainRecipe("curated", has_corpus=True, edge_copies=5, has_polarity=True),
        DomainRecipe("curated-only", has_corpus=False, edge_copies=1, has_polarity=False, can_serve=False),
    )
}
