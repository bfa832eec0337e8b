"""What a step of the domain model's training minimises."""

import pytest
import torch
from support.tiny import tiny_tokenizer

from training.corpus.domain_corpus import CorpusText
from training.domain.losses import MaskedTextSteps
from training.domain.step_log import StepLog
from training.models.torch_model import MaskedLm
from training.settings import DomainSettings

DOMAIN = DomainSettings(batch_examples=4)
WORDS = ("soft", "light", "great", "cheap", "good")
TEXTS = [CorpusText(f"Nike shoes are {word}", "x") for word in WORDS]


def test_every_step_is_logged_and_skipped_batches_are_not(masked_lm: MaskedLm) -> None:
    first, second = StepLog(), StepLog()
    whole, rest = (MaskedTextSteps(masked_lm, TEXTS, DOMAIN, log) for log in (first, second))
    masked_lm.eval()
    for step in range(4):
        whole.step(step).loss(1)
    rest.skip(3)
    rest.step(3).loss(1)
    first.flush()
    second.flush()
    assert [row["step"] for row in first.rows] == [1, 2, 3, 4]
    assert second.rows[0]["loss"] == first.rows[3]["loss"]
    assert first.rows[0]["tokens"] == 4 * len(tiny_tokenizer().encode("Nike shoes are soft").ids)


@pytest.mark.parametrize(("polarity", "foreign"), [(1, "ugly"), (-1, "durable")])
def test_words_of_the_other_pole_cost_where_they_are_among_the_best(
    polarity: int, foreign: str, masked_lm: MaskedLm
) -> None:
    """The log has the masked-LM loss alone, so that recipes compare."""
    marked = [CorpusText(text.text, "x", focus=(15, 19), polarity=polarity) for text in TEXTS]
    masked_lm.eval()
    with torch.no_grad():
        masked_lm.model.vocab_projector.bias[masked_lm.tokenizer.token_to_id(foreign)] += 50.0
    extra = []
    for texts in (TEXTS, marked):
        log = StepLog()
        masked = MaskedTextSteps(masked_lm, texts, DOMAIN, log)
        total = sum(float(masked.step(step).loss(1).detach()) for step in range(5))
        log.flush()
        extra.append(total - sum(row["loss"] for row in log.rows))
    assert extra[0] == pytest.approx(0.0, abs=1e-3)
    assert extra[1] > 1.0
