"""A suite out of the generator's test patterns, which no model was trained on: praise, its word hidden."""

from training.corpus.generator import generate
from training.corpus.lexicon import load_lexicon, unwanted_words
from training.evaluation.metrics import Case

MAX_DRAWS = 20


def positive_cases(count: int = 400, *, seed: int = 0) -> list[Case]:
    """Sentences of positive test patterns whose hidden word is a wanted one.

    Wanted are the good words of every aspect that the hidden word belongs to, unwanted the bad words of
    those aspects and the words that the team never wants of any product.
    """
    cases: list[Case] = []
    bad = unwanted_words()
    for sentence in generate(count * MAX_DRAWS, seed=seed, split="test"):
        if sentence.sentiment != "positive" or sentence.focus is None:
            continue
        word = sentence.text[slice(*sentence.focus)].lower()
        if word in bad or not (wanted := _fellows(word)):
            continue
        cases.append(Case(sentence.query, tuple(sorted(wanted - bad)), tuple(sorted(bad)), "positive"))
        if len(cases) == count:
            break
    return cases


def _fellows(word: str) -> set[str]:
    """The good words of the aspects that this word is a good word of."""
    aspects = load_lexicon().aspects.values()
    return {
        other.lower()
        for aspect in aspects
        if word in {each.lower() for each in aspect.positive.words}
        for other in aspect.positive.words
    }
