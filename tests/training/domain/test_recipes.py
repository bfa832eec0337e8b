"""What each recipe learns."""

import pytest

from training.domain.corpus import CorpusText
from training.domain.recipes import RECIPES

CORPUS = [CorpusText(text, "x") for text in "abc"]


@pytest.mark.parametrize(("name", "texts"), [("full", "abc"), ("curated", "abcbbbbb"), ("curated-only", "b")])
def test_the_texts_of_an_epoch(name: str, texts: str) -> None:
    assert "".join(text.text for text in RECIPES[name].texts(CORPUS, [1])) == texts


def test_the_one_made_for_comparison_never_serves() -> None:
    assert [name for name, recipe in RECIPES.items() if not recipe.can_serve] == ["curated-only"]
