"""A suite of praise with a masked word, from the generator's test patterns, which are never trained on."""

from training.corpus.generator import Split, generate
from training.corpus.lexicon import load_lexicon, unwanted_words
from training.evaluation.metrics import Case

MAX_DRAWS = 20


def positive_cases(count: int = 400, *, seed: int = 0, split: Split = "test") -> list[Case]:
    """Sentences of positive patterns of a split whose hidden word is a wanted one.

    The wanted words are the positive words of every aspect that the hidden word belongs to; the unwanted
    words are all of `unwanted_words()`.
    """
    cases: list[Case] = []
    bad = unwanted_words()
    for sentence in generate(count * MAX_DRAWS, seed=seed, split=split):
        if sentence.sentiment != "positive" or sentence.focus is None:
            continue
        word = sentence.text[slice(*sentence.focus)].lower()
        if word in bad or not (wanted := _words_of_same_aspects(word)):
            continue
        cases.append(Case(sentence.query, tuple(sorted(wanted - bad)), tuple(sorted(bad)), "positive"))
        if len(cases) == count:
            break
    return cases


def _words_of_same_aspects(word: str) -> set[str]:
    """Return the positive words of the aspects in which this word is positive."""
    aspects = load_lexicon().aspects.values()
    return {
        other.lower()
        for aspect in aspects
        if word in {each.lower() for each in aspect.positive.words}
        for other in aspect.positive.words
    }
