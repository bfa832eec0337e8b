"""The suite of praise from test patterns."""

from training.corpus.generator import generate
from training.corpus.lexicon import unwanted_words, wanted_words
from training.evaluation.generated_suite import positive_cases
from training.inference.encoder import MASK


def test_the_cases_are_praise_from_test_patterns() -> None:
    cases = positive_cases(60, seed=3)
    praise = {s.query for s in generate(2000, seed=3, split="test") if s.sentiment == "positive"}
    assert len(cases) == 60
    assert {case.text for case in cases} <= praise
    assert all(case.text.count(MASK) == 1 for case in cases)
    assert {case.group for case in cases} == {"positive"}


def test_wanted_and_unwanted_words_have_nothing_in_common() -> None:
    assert not wanted_words() & unwanted_words()
    assert {"comfortable", "durable", "good-looking", "stylish"} <= wanted_words()
    assert {"expensive", "ugly", "heavy", "dirty", "overpriced"} <= unwanted_words()
    for case in positive_cases(60):
        assert case.wanted
        assert set(case.wanted) <= wanted_words()
        assert set(case.unwanted) == unwanted_words()


def test_the_same_seed_gives_the_same_cases() -> None:
    assert positive_cases(20, seed=1) == positive_cases(20, seed=1) != positive_cases(20, seed=2)
