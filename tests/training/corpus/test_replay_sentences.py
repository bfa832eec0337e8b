"""Sentences without votes, by what their mask asks for."""

from training.corpus.generator import generate
from training.corpus.lexicon import unwanted_words, wanted_words
from training.corpus.replay_sentences import ReplaySentences


def test_sentences_are_grouped_by_the_word_that_their_mask_asks_for() -> None:
    replay_sentences = ReplaySentences.generate(seed=0, sentences=600, replayed=50)
    assert len(set(replay_sentences.texts)) == 50
    assert min(len(replay_sentences.praise), len(replay_sentences.blame), len(replay_sentences.others)) > 50
    assert all("[MASK]" in query for query in (*replay_sentences.praise, *replay_sentences.others))
    assert all(word in unwanted_words() - wanted_words() for _, word in replay_sentences.blame)


def test_test_patterns_stay_unseen() -> None:
    replay_sentences = ReplaySentences.generate(seed=0, sentences=3000, replayed=10)
    test = {s.query for s in generate(3000, seed=0, split="test")}
    seen = {
        *replay_sentences.praise,
        *replay_sentences.others,
        *(query for query, _ in replay_sentences.blame),
    }
    assert not seen & test


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert ReplaySentences.generate(seed=3, sentences=200, replayed=9) == ReplaySentences.generate(
        seed=3, sentences=200, replayed=9
    )
