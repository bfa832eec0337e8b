"""Signals of a text from its words: brands, products, praise, blame, and the effect of denials."""

import polars as pl
import pytest

from training.corpus.lexicon import load_lexicon
from training.votes.checks.speech import load_signal_words, speech_signals, without_denials


def heard(text: str) -> dict[str, bool]:
    return speech_signals(pl.Series([text])).row(0, named=True)


@pytest.mark.parametrize(
    "text",
    [
        "Nike makes shoes.",
        "nike makes shoes.",
        "NIKE makes shoes.",
        "Nike's shoes.",
        "Nike’s shoes.",
        "The “Nike” shoes.",
        "Nike® shoes.",
        "Nike/Adidas shoes.",
        "Shoes by Adidas!",
        "A Champion shirt.",
        "My Vans are new.",
    ],
)
def test_a_brand(text: str) -> None:
    assert heard(text)["brand"]


@pytest.mark.parametrize(
    "text",
    [
        "nikeadidas makes shoes.",
        "Pro-Nike people.",
        "nike_shoes",
        "Nikes",
        "She is a champion.",
        "Two white vans.",
        "In the arena.",
        "The team.",
        "",
    ],
)
def test_no_brand(text: str) -> None:
    assert not heard(text)["brand"]


@pytest.mark.parametrize(
    "text",
    [
        "A shoe.",
        "SHOES",
        "My T-shirt.",
        "Two tank tops.",
        "A sports bra.",
        "This yoga mat",
        "Gym wear",
        "the footballs",
        "The shoe’s sole",
    ],
)
def test_a_product(text: str) -> None:
    assert heard(text)["product"]


@pytest.mark.parametrize(
    "text",
    ["shoelace", "A shoe-like thing.", "Made for football.", "Sports.", "Sports. Bra.", "Yoga", "tank"],
)
def test_no_product(text: str) -> None:
    assert not heard(text)["product"]


@pytest.mark.parametrize(
    "text",
    [
        "They are comfortable.",
        "COMFORTABLE!",
        "So good-looking.",
        "Wear‑resistant",
        "“Stylish”",
        "Great.",
        "not stiff but comfortable",
        "Never heavy, always light.",
        "They are not only comfortable.",
    ],
)
def test_a_wanted_word(text: str) -> None:
    assert heard(text)["wanted"]
    assert not heard(text)["blames"]


@pytest.mark.parametrize("text", ["unfashionable", "non-durable", "uncomfortable", "They are ill-fitting."])
def test_an_unwanted_word_is_not_the_wanted_one_in_it(text: str) -> None:
    assert not heard(text)["wanted"]
    assert heard(text)["blames"]


@pytest.mark.parametrize(
    "text",
    [
        "They are not comfortable.",
        "They aren't comfortable.",
        "They aren’t comfortable.",
        "They arent comfortable.",
        "They are never comfortable.",
        "They are hardly comfortable.",
        "They are far from comfortable.",
        "They are anything but comfortable.",
        "They are no longer comfortable.",
        "They are less comfortable now.",
        "They lack a comfortable sole.",
        "I would not call these running shoes very comfortable.",
        "Nobody in our team finds them comfortable.",
        "They are neither comfortable nor durable.",
        "They are not heavy or comfortable.",
        "Comfortable they are not.",
        "They are comfortable, said nobody.",
    ],
)
def test_praise_that_is_denied_is_blame(text: str) -> None:
    assert heard(text)["blames"]


@pytest.mark.parametrize(
    "text",
    [
        "They are never heavy.",
        "They are not very heavy.",
        "They aren’t heavy.",
        "They do not get damaged.",
        "They are durable without being stiff.",
        "They are far from ugly.",
        "They are no longer heavy.",
        "They are anything but boring.",
        "They are neither heavy nor bulky.",
        "They are not too tight and not too loose.",
        "They are not heavy or stiff.",
        "They are hardly ever stiff.",
    ],
)
def test_denied_blame_is_not_blame(text: str) -> None:
    assert not heard(text)["blames"]


@pytest.mark.parametrize(
    "text",
    [
        "They are stylish but stiff.",
        "They are stylish, yet not durable.",
        "They look stylish, but they feel hard.",
        "Never stylish and heavy.",
        "They are not stylish, but heavy.",
        "They were never so heavy.",
        "I never had such ugly ones.",
        "They are too stylish.",
        "The soft sole ripped.",
        "The sole is crooked.",
        "They used to be durable.",
        "They should be more comfortable.",
        "I wish they were comfortable.",
        "I doubt that they are comfortable.",
        "I expected comfortable ones.",
        "They failed to be comfortable.",
        "The so-called comfortable ones.",
        "I returned the comfortable ones.",
        "They are durable; I will never buy them again.",
    ],
)
def test_blame_and_doubt(text: str) -> None:
    assert heard(text)["blames"]


@pytest.mark.parametrize(
    "text",
    [
        "They are comfortable, too.",
        "No doubt, they are comfortable.",
        "The best ones I have ever worn.",
        "You cannot go wrong.",
        "Mark wears them.",
        "",
    ],
)
def test_no_blame(text: str) -> None:
    assert not heard(text)["blames"]


def test_a_denial_does_not_run_into_the_next_text() -> None:
    said = speech_signals(pl.Series(["They are not", "comfortable", "Never", "heavy", "sports", "bra"]))
    assert said["wanted"].to_list() == [False, True, False, False, False, False]
    assert said["blames"].to_list() == [True, False, True, True, False, False]
    assert not said["product"].any()


def test_every_text_has_its_row() -> None:
    said = speech_signals(pl.Series(["", "🙂", "\n", "Nike", '"', "été", "…"]))
    assert said["brand"].to_list() == [False, False, False, True, False, False, False]


def test_no_texts() -> None:
    assert speech_signals(pl.Series([], dtype=pl.Utf8)).shape == (0, 4)


def test_all_words_are_those_of_the_lexicon() -> None:
    lexicon, words = load_lexicon(), load_signal_words()
    assert words.brands == {brand.lower() for brand in lexicon.lists["brand"].words}
    assert {"t-shirt", "sports bra", "sportswear"} < words.products
    assert words.wanted >= {word.lower() for word in lexicon.aspects["comfort"].positive.words}
    assert words.unwanted >= {word.lower() for word in lexicon.aspects["service"].negative.words}
    assert "friendly" not in words.wanted  # said of people
    assert not words.wanted & words.unwanted


def test_denials_are_taken_out_for_the_sentiment() -> None:
    texts = pl.Series(["They aren’t stiff, not at all.", "Nothing", "knot", "NEVER"])
    assert without_denials(texts).str.strip_chars().to_list() == ["They   stiff,   at all.", "", "knot", ""]
