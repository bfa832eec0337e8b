"""The pseudo-perplexity computed by hand, and compared with torch."""

import math
from pathlib import Path

import pytest
import torch
from support.oracles import oracle
from transformers import AutoModelForMaskedLM

from training.evaluation import perplexity
from training.evaluation.perplexity import (
    TEXTS_AT_ONCE,
    PerplexityComparison,
    WordLogProbabilities,
    pseudo_perplexity,
    score_text,
)
from training.inference.fill_model import FillModel


def test_pseudo_perplexity_of_a_model_that_knows_nothing() -> None:
    # Every entry equally likely: a word of one piece has perplexity V, one of two pieces V².
    model = oracle()
    size = len(model.encoder.words.ids)
    assert pseudo_perplexity(model, ["shoes"]) == pytest.approx(size, rel=1e-4)
    assert pseudo_perplexity(model, ["shoes washable"]) == pytest.approx(size**1.5, rel=1e-4)
    assert pseudo_perplexity(model, ["shoes cheap", "  "]) == pytest.approx(size, rel=1e-4)


def test_the_score_of_a_text_by_hand() -> None:
    model = oracle(shoes=0.5, cheap=0.25)
    score = score_text(model, "Cheap shoes")
    assert score.words == 2
    assert score.log_probability == pytest.approx(math.log(0.5) + math.log(0.25), abs=1e-5)
    assert score_text(model, " ") == WordLogProbabilities(0.0, 0)


@pytest.mark.parametrize("kind", ["distilbert", "bert"])
def test_pseudo_perplexity_is_that_of_torch(
    kind: str, fill_models: dict[str, FillModel], base_folders: dict[str, Path]
) -> None:
    model = AutoModelForMaskedLM.from_pretrained(base_folders[kind])
    fill_model = fill_models[kind]
    ids = fill_model.encoder.words.ids
    # "washable boots." is [CLS] wash ##able boots . [SEP]; the words are (wash ##able) and (boots .).
    tokens = [ids[t] for t in ("[CLS]", "wash", "##able", "boots", ".", "[SEP]")]
    total = 0.0
    for target, hidden in ((1, (1, 2)), (2, (2,)), (3, (3, 4)), (4, (4,))):  # left to right within a word
        masked = [ids["[MASK]"] if place in hidden else token for place, token in enumerate(tokens)]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([masked])).logits[0, target]
        total += float(torch.log_softmax(logits, dim=-1)[tokens[target]])
    expected = math.exp(-total / 2)
    assert pseudo_perplexity(fill_model, ["Washable boots."]) == pytest.approx(expected, rel=1e-3)


TEXTS = ["Washable boots.", "Cheap shoes.", "shoes", "washable", "cheap"] * TEXTS_AT_ONCE


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the texts that are scored, each once for a model."""
    texts: list[str] = []

    def score(model: FillModel, text: str) -> WordLogProbabilities:
        texts.append(text)
        return score_text(model, text)

    monkeypatch.setattr(perplexity, "score_text", score)
    return texts


def test_a_comparison_with_the_same_model_ends_early_and_finds_no_change(scored: list[str]) -> None:
    model = oracle(shoes=0.5, cheap=0.25)
    before, after = PerplexityComparison(model, TEXTS).with_model(model, limit=1.02)
    assert before == after
    assert len(scored) == 2 * TEXTS_AT_ONCE


def test_a_comparison_begins_with_texts_of_all_kinds(scored: list[str]) -> None:
    model, grouped = oracle(shoes=0.5), sorted(TEXTS)
    PerplexityComparison(model, grouped).with_model(model, limit=1.02)
    assert set(scored) == set(TEXTS)


def test_a_comparison_close_to_the_limit_takes_all_texts(scored: list[str]) -> None:
    model, other = oracle(shoes=0.5, cheap=0.25), oracle(shoes=0.25, cheap=0.5)
    ratio = pseudo_perplexity(other, TEXTS) / pseudo_perplexity(model, TEXTS)
    scored.clear()
    comparison = PerplexityComparison(model, TEXTS)
    assert comparison.with_model(other, limit=ratio) == pytest.approx(
        (pseudo_perplexity(model, TEXTS), pseudo_perplexity(other, TEXTS))
    )
    assert len(scored) == 2 * len(TEXTS) + 2 * len(TEXTS)  # and those of the expected value
    comparison.with_model(model, limit=1.02)
    assert len(scored) == 4 * len(TEXTS) + TEXTS_AT_ONCE, "the first model is scored once"


def test_a_comparison_of_fewer_texts_than_are_scored_at_once_takes_all() -> None:
    model = oracle(shoes=0.5)
    assert PerplexityComparison(model, ["shoes"]).with_model(model, limit=1.02) == pytest.approx(
        (pseudo_perplexity(model, ["shoes"]),) * 2
    )
