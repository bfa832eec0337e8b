"""What a held recipe adds to the loss."""

import copy

import pytest
import torch
from tiny import tiny_tokenizer

from training import vocabulary
from training.domain.corpus import CorpusText
from training.domain.losses import Held, MaskedTexts, praise_query
from training.domain.step_log import StepLog
from training.model import MaskedLm
from training.settings import DomainSettings

CPU = torch.device("cpu")
DOMAIN = DomainSettings(batch_examples=4, held_examples=8)
PRAISE = [CorpusText("Nike shoes are comfortable.", "x"), CorpusText("I like ice.", "x")]


def offered(masked_lm: MaskedLm) -> list[int]:
    return vocabulary.offered(masked_lm.tokenizer.get_vocab(with_added_tokens=True))


def held_of(masked_lm: MaskedLm, cases: list[CorpusText], *, skip: int = 0, **changed: float) -> Held:
    held = Held(masked_lm, DOMAIN.model_copy(update=changed), device=CPU)
    masked_lm.add_words(["stylish", "overpriced"])
    masked_lm.eval()
    held.begin(masked_lm, cases, offered=offered(masked_lm), skip=skip)
    return held


def test_a_model_that_only_learnt_words_is_where_the_base_is(masked_lm: MaskedLm) -> None:
    """Held among the words that the base knows; fp16 is how exactly its answers are kept."""
    assert float(held_of(masked_lm, []).loss().detach()) == pytest.approx(0.0, abs=1e-3)


def test_a_model_that_moved_is_pulled_back(masked_lm: MaskedLm) -> None:
    held = held_of(masked_lm, [], unwanted_weight=0.0)
    with torch.no_grad():
        masked_lm.model.vocab_projector.bias.add_(torch.randn(masked_lm.model.config.vocab_size))
    assert float(held.loss().detach()) > 0.05


def test_unwanted_words_among_the_best_cost_where_a_wanted_word_stands(masked_lm: MaskedLm) -> None:
    held = held_of(masked_lm, PRAISE, held_weight=0.0)
    before = float(held.loss().detach())
    with torch.no_grad():
        masked_lm.model.vocab_projector.bias[masked_lm.tokenizer.token_to_id("ugly")] += 50.0
    assert float(held.loss().detach()) > before + 1.0


def test_a_resumed_training_sees_the_batches_that_are_left(masked_lm: MaskedLm) -> None:
    again = copy.deepcopy(masked_lm)
    cases = [
        CorpusText(f"Nike {noun} are {word}.", "x")
        for noun in ("shoes", "socks")
        for word in ("soft", "durable")
    ]
    first = held_of(masked_lm, cases)
    losses = [float(first.loss().detach()) for _ in range(5)]
    assert float(held_of(again, cases, skip=4).loss().detach()) == pytest.approx(losses[4], rel=1e-5)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (CorpusText("Nike shoes are comfortable.", "x"), "Nike shoes are [MASK]."),
        (CorpusText("Soft and DURABLE boots.", "x", focus=(9, 16)), "Soft and [MASK] boots."),
        (CorpusText("Nike made soft boots.", "x", focus=(0, 4)), "Nike made [MASK] boots."),
        (CorpusText("We sell boots.", "x"), None),
        (CorpusText("Softness is uncomfortable.", "x"), None),
    ],
)
def test_an_edge_case_is_asked_for_its_wanted_word(text: CorpusText, query: str | None) -> None:
    assert praise_query(text) == query


def test_every_step_is_logged_and_skipped_batches_are_not(masked_lm: MaskedLm) -> None:
    texts = [
        CorpusText(f"Nike shoes are {word}", "x") for word in ("soft", "light", "great", "cheap", "good")
    ]
    first, second = StepLog(), StepLog()
    whole, rest = (MaskedTexts(masked_lm, texts, DOMAIN, log) for log in (first, second))
    masked_lm.eval()
    for step in range(4):
        whole.loss(step, CPU)
    rest.skip(3)
    rest.loss(3, CPU)
    first.flush()
    second.flush()
    assert (whole.rows, [row["step"] for row in first.rows]) == (5, [1, 2, 3, 4])
    assert second.rows[0]["loss"] == first.rows[3]["loss"]
    assert first.rows[0]["tokens"] == 4 * len(tiny_tokenizer().encode("Nike shoes are soft").ids)
