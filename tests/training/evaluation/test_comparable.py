"""The words, cases and texts that models with different vocabularies share."""

import pytest
from support.vocabularies import speaker

from training.evaluation.comparable import ComparableCases, cases_of, texts_of, tokens_of
from training.evaluation.metrics import Case
from training.inference.fill_model import FillModel

MODELS = {
    "base": speaker(),
    "v1": speaker(added=["soft-light"], unsaid=["cheap"]),
    "v2": speaker(added=["soft-light", "stylish"]),
}


def words_of(model: FillModel, tokens: list[int]) -> set[str]:
    return {model.word_of(token) for token in tokens}


def test_the_shared_words_are_the_same_for_all() -> None:
    shared = tokens_of(MODELS)
    said = [words_of(model, list(shared[name])) for name, model in MODELS.items()]
    assert said[0] == said[1] == said[2]
    assert said[0] == words_of(MODELS["base"], list(MODELS["base"].offered)) - {"cheap"}


def test_a_model_alone_shares_all_of_its_words() -> None:
    assert list(tokens_of({"v2": MODELS["v2"]})["v2"]) == list(MODELS["v2"].offered)


def test_cases_keep_only_words_that_all_models_know() -> None:
    both = Case("It is [MASK].", ("great", "soft-light"), ("cheap", "ugly"), "look_a")
    one_sided = Case("They are [MASK].", ("stylish",), ("ugly",), "look_b")
    assert cases_of(MODELS, [both, one_sided]) == ComparableCases(
        cases=(Case("It is [MASK].", ("great",), ("ugly",), "look_a"),),
        skipped=1,
        dropped_words=("cheap", "soft-light", "stylish"),
    )


def test_a_case_with_one_side_is_skipped() -> None:
    assert cases_of(MODELS, [Case("It is [MASK].", ("great",), (), "x")]) == ComparableCases((), 1, ())


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("Nike shoes are great.", True),
        ("A washable boots", True),  # other pieces are the same word
        ("These soft-light boots", True),  # one token or three: one word between spaces
        ("These boots ☃", False),  # unknown to all
        ("  ", False),
    ],
)
def test_texts_that_all_models_know_are_kept(text: str, is_kept: bool) -> None:
    assert texts_of(MODELS, [text]) == ([text] if is_kept else [])


def test_a_text_that_is_too_long_for_one_model_is_dropped() -> None:
    models = {"long": speaker(), "short": speaker(max_tokens=6)}
    assert texts_of(models, ["Nike shoes are great", "Nike shoes are so great"]) == ["Nike shoes are great"]
