"""The losses that ours is compared with, by figures worked by hand."""

import math

import pytest
import torch
from benchmarks.losses import OBJECTIVES, cross_entropy, dpo, kto, unlikelihood
from torch import Tensor

from training.finetuning.losses import BatchJudgements


def judged(*judgements: tuple[int, int, float, float]) -> BatchJudgements:
    """Row, word, sign and weight of each."""
    rows, words, signs, weights = zip(*judgements, strict=True)
    return BatchJudgements(
        rows=torch.tensor(rows),
        words=torch.tensor(words),
        signs=torch.tensor(signs),
        weights=torch.tensor(weights),
        allowed=torch.arange(4),
        shown_words=5,
    )


def logits(*rows: tuple[float, ...]) -> Tensor:
    """Logits of these probabilities, each shifted: nothing may depend on where they start."""
    return torch.tensor(rows).log() + 3


MODEL, REFERENCE = (
    logits((0.4, 0.2, 0.3, 0.1), (0.5, 0.3, 0.1, 0.1)),
    logits((0.2, 0.4, 0.3, 0.1), (0.25,) * 4),
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_cross_entropy_is_of_the_wanted_words_by_weight() -> None:
    loss = cross_entropy(MODEL, REFERENCE, judged((0, 0, 1.0, 3.0), (0, 1, -1.0, 9.0), (1, 1, 1.0, 1.0)))
    assert loss.item() == pytest.approx(-(3 * math.log(0.4) + math.log(0.3)) / 4, abs=1e-5)


def test_unlikelihood_adds_the_unwanted_words() -> None:
    loss = unlikelihood(MODEL, REFERENCE, judged((0, 0, 1.0, 1.0), (0, 1, -1.0, 1.0), (1, 0, -1.0, 3.0)))
    expected = -math.log(0.4) - (math.log(0.8) + 3 * math.log(0.5)) / 4
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_unlikelihood_of_a_certain_word_is_finite() -> None:
    loss = unlikelihood(torch.tensor([[100.0, 0.0]]), torch.zeros(1, 2), judged((0, 0, -1.0, 1.0)))
    assert loss.item() == pytest.approx(-math.log(1e-5), abs=1e-2)


def test_dpo_compares_the_words_of_one_query_with_each_other() -> None:
    rise, fall = math.log(0.4 / 0.2), math.log(0.2 / 0.4)
    one = judged((0, 0, 1.0, 1.0), (0, 1, -1.0, 1.0), (1, 2, -1.0, 5.0))  # nothing is wanted in row 1
    loss = dpo(MODEL, REFERENCE, one)
    assert loss.item() == pytest.approx(-math.log(sigmoid(0.1 * (rise - fall))), abs=1e-5)


def test_kto_compares_a_word_with_the_mean_of_the_batch() -> None:
    moved = sum(p * math.log(p / q) for p, q in zip((0.4, 0.2, 0.3, 0.1), (0.2, 0.4, 0.3, 0.1), strict=True))
    loss = kto(MODEL, REFERENCE, judged((0, 0, 1.0, 1.0), (0, 1, -1.0, 1.0)))
    wanted = 1 - sigmoid(0.1 * (math.log(2) - moved))
    unwanted = 1 - sigmoid(-0.1 * (-math.log(2) - moved))
    assert loss.item() == pytest.approx((wanted + unwanted) / 2, abs=1e-5)


@pytest.mark.parametrize("name", list(OBJECTIVES))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_side_alone_is_enough_for_a_step(name: str, sign: float) -> None:
    model = MODEL.clone().requires_grad_()
    loss = OBJECTIVES[name].votes_loss(model, REFERENCE, judged((0, 0, sign, 1.0), (0, 1, sign, 1.0)))
    loss.backward()
    assert loss.isfinite()
    assert model.grad is not None
    assert model.grad.isfinite().all()
    learns = name != "dpo" and (name != "ce" or sign > 0)
    assert bool(model.grad.any()) == learns


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_every_loss_raises_wanted_over_unwanted_words(name: str) -> None:
    model = REFERENCE.clone().requires_grad_()
    OBJECTIVES[name].votes_loss(model, REFERENCE, judged((0, 0, 1.0, 1.0), (0, 1, -1.0, 1.0))).backward()
    assert model.grad is not None
    assert -model.grad[0, 0] > -model.grad[0, 1]
