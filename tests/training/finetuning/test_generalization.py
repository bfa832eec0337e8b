"""Tilts of words on sentences without votes."""

import pytest
import torch

from training.corpus.lexicon import unwanted_words, wanted_words
from training.finetuning.generalization import (
    LIST_WEIGHT,
    MIN_NEIGHBOUR_TILT,
    MIN_TILT,
    Vocabulary,
    word_tilts,
)
from training.votes.retraining_set import Example

GOOD, BAD = sorted(wanted_words()), sorted(unwanted_words())
UNLISTED = ["boxy", "retro", "matte", "understated", "angular"]
WORDS = [*GOOD, *BAD, *UNLISTED]


def vocabulary(words: list[str] = WORDS, *, has_lists: bool = True, **alike: str) -> Vocabulary:
    """Words of which no two are similar, except that each key of `alike` is like its value."""
    embeddings = torch.eye(len(words))
    for word, other in alike.items():
        embeddings[words.index(word)] = embeddings[words.index(other)]
    return Vocabulary.of(words, embeddings, has_lists=has_lists)


def example(number: int, *, wanted: list[str] | None = None, unwanted: list[str] | None = None) -> Example:
    """A query of its own with judgements of weight 1."""
    return Example(
        f"query {number} [MASK]",
        str(number),
        0,
        tuple((word, 1.0) for word in wanted or ()),
        tuple((word, 1.0) for word in unwanted or ()),
    )


def agreeing(count: int) -> list[Example]:
    """Judgements that agree with the word lists, each on its own word and query."""
    good, bad = GOOD[: count // 2], BAD[: count - count // 2]
    examples = [example(number, wanted=[word]) for number, word in enumerate(good)]
    return examples + [example(100 + number, unwanted=[word]) for number, word in enumerate(bad)]


def flipped(examples: list[Example]) -> list[Example]:
    return [Example(e.query, e.query_hash, 0, e.unwanted, e.wanted) for e in examples]


def test_no_judgement_tilts_no_word() -> None:
    assert word_tilts([], vocabulary()) == {}
    assert word_tilts([example(1, wanted=["unheard-of"])], vocabulary()) == {}


def test_every_judgement_counts_and_several_count_more() -> None:
    once, twice, often = (
        word_tilts([example(n, unwanted=["boxy"]) for n in range(count)], vocabulary())["boxy"]
        for count in (1, 2, 20)
    )
    assert -1 <= often < twice < once < -MIN_TILT


def test_a_contested_word_does_not_generalize() -> None:
    examples = [
        *(example(n, wanted=["retro"]) for n in range(3)),
        *(example(n, unwanted=["retro"]) for n in range(3)),
    ]
    assert "retro" not in word_tilts(examples, vocabulary())


def test_the_word_lists_are_a_prior_of_the_weight_of_a_few_words() -> None:
    tilts = word_tilts([example(1, wanted=["retro"])], vocabulary())
    assert tilts[GOOD[0]] > 0.5
    assert tilts[BAD[0]] < -0.5
    against = [example(n, wanted=[word]) for n, word in enumerate(BAD[: LIST_WEIGHT + 1])]
    assert BAD[-1] not in word_tilts(against, vocabulary())  # unlearnt
    assert (
        word_tilts([example(n, wanted=[word]) for n, word in enumerate(BAD[:30])], vocabulary())[BAD[-1]] > 0
    )


def test_more_agreement_with_the_lists_makes_them_count_more() -> None:
    few, many = (word_tilts(agreeing(count), vocabulary())[BAD[-1]] for count in (2, 40))
    assert -1 <= many < few < 0


def test_without_the_lists_only_judged_words_are_tilted() -> None:
    tilts = word_tilts(agreeing(20), vocabulary(has_lists=False))
    assert set(tilts) == {*GOOD[:10], *BAD[:10]}


def test_what_a_team_thinks_of_a_listed_word_overrules_the_list() -> None:
    liked = [example(200 + n, wanted=["expensive"]) for n in range(3)]
    tilts = word_tilts([*agreeing(20), *liked], vocabulary())
    assert tilts["expensive"] > 0
    assert tilts[BAD[-1]] < 0


def test_votes_that_contradict_both_lists_turn_them() -> None:
    tilts = word_tilts(flipped(agreeing(40)), vocabulary())
    assert tilts[GOOD[-1]] < 0 < tilts[BAD[-1]]


def test_similar_words_follow_when_the_judgements_show_that_they_do() -> None:
    words = [*GOOD[:40], *UNLISTED]
    pairs = dict(zip(GOOD[1:40:2], GOOD[0:40:2], strict=True))  # every second word is like the one before it
    likes = {word: index % 4 < 2 for index, word in enumerate(GOOD[:40])}  # and liked or not like it
    examples = [
        example(n, wanted=[w] if liked else [], unwanted=[] if liked else [w])
        for n, (w, liked) in enumerate(likes.items())
    ]
    by_pairs = vocabulary(words, **pairs, understated=GOOD[0], angular=GOOD[2])
    known = [*examples, *(example(100 + n, wanted=[GOOD[0]], unwanted=[GOOD[2]]) for n in range(9))]
    tilts = word_tilts(known, by_pairs)
    assert tilts["understated"] >= MIN_NEIGHBOUR_TILT
    assert tilts["angular"] <= -MIN_NEIGHBOUR_TILT
    assert "understated" not in word_tilts(known, vocabulary(words))


@pytest.mark.parametrize("copies", [1, 3])
def test_the_order_of_the_judgements_does_not_matter(copies: int) -> None:
    examples = agreeing(20) * copies
    assert word_tilts(examples, vocabulary()) == pytest.approx(word_tilts(examples[::-1], vocabulary()))


def test_a_preferred_word_counts_as_three_judgements() -> None:
    elsewhere = [example(1, wanted=[GOOD[0]])]
    by_list = word_tilts(elsewhere, vocabulary())[BAD[-1]]
    preferred = word_tilts(elsewhere, vocabulary(), preferred=[BAD[-1]])[BAD[-1]]
    judged = word_tilts([*elsewhere, *(example(n, wanted=[BAD[-1]]) for n in (2, 3, 4))], vocabulary())
    assert by_list < 0 < preferred == pytest.approx(judged[BAD[-1]])
    against = [example(n, unwanted=[BAD[-1]]) for n in range(2, 14)]
    assert word_tilts([*elsewhere, *against], vocabulary(), preferred=[BAD[-1]])[BAD[-1]] < 0
