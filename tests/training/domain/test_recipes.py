"""What each recipe learns, and how often."""

import pytest

from training.corpus.domain_corpus import GENERATED, CorpusText
from training.domain.recipes import RECIPES

CORPUS = [
    CorpusText("Nike boots are soft.", GENERATED, focus=(15, 19), topic="praise_comfort"),
    CorpusText("They are ugly.", GENERATED, focus=(9, 13), topic="complaint_look"),
    CorpusText("My cat sleeps.", GENERATED, focus=(3, 6), topic="retention_animals"),
    CorpusText("I love these stylish shoes.", "reviews"),
]
EDGE_CASES = [0, 3]


def texts_of(name: str) -> list[CorpusText]:
    return RECIPES[name].texts(CORPUS, EDGE_CASES)


@pytest.mark.parametrize(
    ("name", "copies"), [("full", [1, 1, 1, 3]), ("curated", [6, 2, 3, 8]), ("curated-only", [1, 0, 0, 1])]
)
def test_how_often_each_text_is_learnt(name: str, copies: list[int]) -> None:
    texts = [text.text for text in texts_of(name)]
    assert [texts.count(text.text) for text in CORPUS] == copies


def test_the_curated_recipe_alone_tells_the_poles_apart() -> None:
    marked = {(text.text, text.focus, text.polarity) for text in texts_of("curated") if text.polarity}
    assert marked == {
        ("Nike boots are soft.", (15, 19), 1),
        ("They are ugly.", (9, 13), -1),
        ("I love these stylish shoes.", (13, 20), 1),  # where no focus is known: the first such word
    }
    assert not any(text.polarity for name in ("full", "curated-only") for text in texts_of(name))


@pytest.mark.parametrize(
    "text",
    [
        CorpusText("Never again!", GENERATED, topic="complaint_service"),
        CorpusText("The softness of these boots.", "x"),
        CorpusText("Nike makes soft boots.", GENERATED, focus=(0, 4), topic="slot_brand"),
    ],
)
def test_a_text_that_asks_for_neither_has_no_pole(text: CorpusText) -> None:
    assert not any(each.polarity for each in RECIPES["curated"].texts([text], []))


def test_the_one_made_for_comparison_never_serves() -> None:
    assert [name for name, recipe in RECIPES.items() if not recipe.can_serve] == ["curated-only"]
