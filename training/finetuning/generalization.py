"""How far judgements reach: what they say of a word on sentences nobody voted on. Pure.

Two sources. A word that was judged the same way on several queries is wanted or unwanted wherever the product
is praised. And the corpus has lists of good and bad words: they count as one more voter, whose reliability is
how often they agree with the judgements (one coin, Beta(2, 2) prior). Where they agree, the rest of their
words is believed too, so that rejecting "expensive" and "heavy" a few times also lowers "bulky"; a team that
likes what the lists call bad is not overruled by them.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

from training.corpus.lexicon import unwanted_words, wanted_words
from training.votes.retraining_set import Example

MIN_QUERIES = 2  # that a word is judged on, before it counts on others
MIN_AGREEMENT = 0.7  # of the weight of a word's judgements that must lie on one side
MIN_LISTED = 10  # judged words of the lists, before the lists are believed at all
LISTED_PART = 0.75  # of the full tilt, for words that the lists alone speak of
FULL = math.log(4)  # a word with so much evidence (in log-odds) is tilted fully


def word_tilts(examples: Sequence[Example]) -> dict[str, float]:
    """Word → how much it is wanted on sentences nobody voted on, in [−1, 1]; words at 0 are left out."""
    up: dict[str, float] = defaultdict(float)
    down: dict[str, float] = defaultdict(float)
    queries: dict[str, int] = defaultdict(int)
    for example in examples:
        for words, total in ((example.wanted, up), (example.unwanted, down)):
            for word, weight in words:
                total[word] += weight
                queries[word] += 1
    trust = _trust(up, down)
    tilts = {word: trust * _listed(word) for word in wanted_words() | unwanted_words()}
    for word, count in queries.items():
        agreement = max(up[word], down[word]) / max(up[word] + down[word], 1e-9)
        evidence = math.log((1 + up[word]) / (1 + down[word])) / FULL
        judged = count >= MIN_QUERIES and agreement >= MIN_AGREEMENT
        tilts[word] = min(max(evidence, -1.0), 1.0) if judged else 0.0
    return {word: tilt for word, tilt in sorted(tilts.items()) if tilt}


def _listed(word: str) -> int:
    """What the word lists say of a word: 1, −1, or 0 where they say nothing."""
    return int(word in wanted_words()) - int(word in unwanted_words())


def _trust(up: dict[str, float], down: dict[str, float]) -> float:
    """What a word of the lists weighs for itself, in [0, `LISTED_PART`]."""
    signs = [_listed(word) * (1 if up[word] > down[word] else -1) for word in {*up, *down}]
    agree, disagree = signs.count(1), signs.count(-1)
    if agree + disagree < MIN_LISTED:
        return 0.0
    reliability = (2 + agree) / (4 + agree + disagree)
    return LISTED_PART * max(0.0, 2 * reliability - 1)
