"""Sentences nobody voted on, by what their mask asks for."""

from training.corpus.generator import generate
from training.corpus.lexicon import unwanted_words, wanted_words
from training.corpus.replay_sentences import ReplaySentences


def test_sentences_are_sorted_by_what_they_ask_for() -> None:
    background = ReplaySentences.generate(seed=0, sentences=600, replayed=50)
    assert len(set(background.texts)) == 50
    assert min(len(background.praise), len(background.blame), len(background.others)) > 50
    assert all("[MASK]" in query for query in (*background.praise, *background.others))
    assert all(word in unwanted_words() - wanted_words() for _, word in background.blame)


def test_test_patterns_stay_unseen() -> None:
    background = ReplaySentences.generate(seed=0, sentences=3000, replayed=10)
    test = {s.query for s in generate(3000, seed=0, split="test")}
    seen = {*background.praise, *background.others, *(query for query, _ in background.blame)}
    assert not seen & test


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert ReplaySentences.generate(seed=3, sentences=200, replayed=9) == ReplaySentences.generate(
        seed=3, sentences=200, replayed=9
    )
