"""What a step of the domain model's training minimises."""

from pathlib import Path

import pytest
import torch
from tiny import tiny_tokenizer

from training import model
from training.domain.corpus import CorpusText
from training.domain.losses import Held, MaskedTexts
from training.domain.step_log import StepLog
from training.model import MaskedLm
from training.settings import DomainSettings

CPU = torch.device("cpu")
DOMAIN = DomainSettings(batch_examples=4, held_examples=8)
WORDS = ("soft", "light", "great", "cheap", "good")
TEXTS = [CorpusText(f"Nike shoes are {word}", "x") for word in WORDS]


def held_of(masked_lm: MaskedLm, *, skip: int = 0) -> Held:
    held = Held(masked_lm, DOMAIN, device=CPU)
    masked_lm.add_words(["stylish", "overpriced"])
    masked_lm.eval()
    held.begin(masked_lm, skip=skip)
    return held


def test_a_model_that_only_learnt_words_is_where_the_base_is(masked_lm: MaskedLm) -> None:
    """Held among the words that the base knows; fp16 is how exactly its answers are kept."""
    assert float(held_of(masked_lm).loss().detach()) == pytest.approx(0.0, abs=1e-3)


def test_a_model_that_moved_is_pulled_back(masked_lm: MaskedLm) -> None:
    held = held_of(masked_lm)
    with torch.no_grad():
        masked_lm.model.vocab_projector.bias.add_(torch.randn(masked_lm.model.config.vocab_size))
    assert float(held.loss().detach()) > 0.05


def test_a_resumed_training_is_held_by_the_batches_that_are_left(
    masked_lm: MaskedLm, distilbert_folder: Path
) -> None:
    first, again = held_of(masked_lm), held_of(model.load(distilbert_folder), skip=4)
    for learner in (masked_lm, again.model):
        with torch.no_grad():
            learner.model.vocab_projector.bias[7] += 5.0
    losses = [float(first.loss().detach()) for _ in range(5)]
    assert len(set(losses)) > 1
    assert float(again.loss().detach()) == pytest.approx(losses[4], rel=1e-5)


def test_every_step_is_logged_and_skipped_batches_are_not(masked_lm: MaskedLm) -> None:
    first, second = StepLog(), StepLog()
    whole, rest = (MaskedTexts(masked_lm, TEXTS, DOMAIN, log) for log in (first, second))
    masked_lm.eval()
    for step in range(4):
        whole.loss(step, CPU)
    rest.skip(3)
    rest.loss(3, CPU)
    first.flush()
    second.flush()
    assert [row["step"] for row in first.rows] == [1, 2, 3, 4]
    assert second.rows[0]["loss"] == first.rows[3]["loss"]
    assert first.rows[0]["tokens"] == 4 * len(tiny_tokenizer().encode("Nike shoes are soft").ids)


@pytest.mark.parametrize(("pole", "foreign"), [(1, "ugly"), (-1, "durable")])
def test_words_of_the_other_pole_cost_where_they_are_among_the_best(
    pole: int, foreign: str, masked_lm: MaskedLm
) -> None:
    """The log has the masked-LM loss alone, so that recipes compare."""
    marked = [CorpusText(text.text, "x", focus=(15, 19), pole=pole) for text in TEXTS]
    masked_lm.eval()
    with torch.no_grad():
        masked_lm.model.vocab_projector.bias[masked_lm.tokenizer.token_to_id(foreign)] += 50.0
    extra = []
    for texts in (TEXTS, marked):
        log = StepLog()
        masked = MaskedTexts(masked_lm, texts, DOMAIN, log)
        total = sum(float(masked.loss(step, CPU).detach()) for step in range(5))
        log.flush()
        extra.append(total - sum(row["loss"] for row in log.rows))
    assert extra[0] == pytest.approx(0.0, abs=1e-3)
    assert extra[1] > 1.0
