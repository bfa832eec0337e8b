"""Generalization: which words the votes make wanted or unwanted on sentences without votes. Pure.

There are two sources. A word that was judged the same way on several queries is wanted or unwanted in all
praise of the products. And the corpus's lists of good and bad words count as one more voter, whose
reliability is how often the lists agree with the judgements (one coin, Beta(2, 2) prior). If they agree, the
rest of their words counts as well, so that rejecting "expensive" and "heavy" a few times also lowers "bulky".
A team that likes what the lists call bad is not overruled by them.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

from training.corpus.lexicon import polarity_of, unwanted_words, wanted_words
from training.votes.retraining_set import Example

MIN_QUERIES = 2  # on which a word must be judged: one judgement may be about its sentence alone
MIN_AGREEMENT = 0.7  # share of the weight of a word's judgements that must be on one side
MIN_LISTED = 10  # judged words from the lists; with fewer, agreement with the lists is too often chance
LISTED_SHARE = 0.75  # of the full tilt, for words known from the lists alone; more costs general English
FULL_LOG_ODDS = math.log(4)  # evidence from which on a word is tilted fully


def word_tilts(examples: Sequence[Example]) -> dict[str, float]:
    """Return word → how much it is wanted on sentences without votes, in [−1, 1], without words at 0."""
    up: dict[str, float] = defaultdict(float)
    down: dict[str, float] = defaultdict(float)
    queries: dict[str, int] = defaultdict(int)
    for example in examples:
        for words, total in ((example.wanted, up), (example.unwanted, down)):
            for word, weight in words:
                total[word] += weight
                queries[word] += 1
    trust = _trust_in_lists(up, down)
    tilts = {word: trust * polarity_of(word) for word in wanted_words() | unwanted_words()}
    for word, count in queries.items():
        agreement = max(up[word], down[word]) / max(up[word] + down[word], 1e-9)
        evidence = math.log((1 + up[word]) / (1 + down[word])) / FULL_LOG_ODDS
        is_clear = count >= MIN_QUERIES and agreement >= MIN_AGREEMENT
        tilts[word] = min(max(evidence, -1.0), 1.0) if is_clear else 0.0
    return {word: tilt for word, tilt in sorted(tilts.items()) if tilt}


def _trust_in_lists(up: dict[str, float], down: dict[str, float]) -> float:
    """The tilt of a word known from the lists alone, in [0, `LISTED_SHARE`]."""
    signs = [polarity_of(word) * (1 if up[word] > down[word] else -1) for word in {*up, *down}]
    agree, disagree = signs.count(1), signs.count(-1)
    if agree + disagree < MIN_LISTED:
        return 0.0
    reliability = (2 + agree) / (4 + agree + disagree)
    return LISTED_SHARE * max(0.0, 2 * reliability - 1)
