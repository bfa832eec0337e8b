"""The losses, compared with numbers computed by hand."""

import math

import pytest
import torch
from torch.nn import functional

from training.finetuning.losses import (
    RANK_MARGIN,
    BatchJudgements,
    kl_to_reference,
    kl_with_hinge,
    masked_lm,
    polarity_loss,
    rank_hinge,
    tilted_target,
    tilted_votes_loss,
)


def logits_of(*rows: list[float]) -> torch.Tensor:
    """Logits of given probabilities."""
    return torch.tensor(rows).log()


def probabilities(log_probabilities: torch.Tensor) -> list[float]:
    values: list[float] = log_probabilities[0].exp().tolist()
    return values


def judged(
    words: list[int],
    signs: list[float],
    *,
    offered: int,
    weights: list[float] | None = None,
    shown_words: int = 5,
) -> BatchJudgements:
    """Judgements on words of the first mask; the first `offered` words may be offered."""
    return BatchJudgements(
        rows=torch.zeros(len(words), dtype=torch.long),
        words=torch.tensor(words),
        signs=torch.tensor(signs),
        weights=torch.tensor(weights or [1.0] * len(words)),
        allowed=torch.arange(offered),
        shown_words=shown_words,
    )


def tilted(
    reference: torch.Tensor, words: list[int], signs: list[float], *, offered: int, shown_words: int = 5
) -> torch.Tensor:
    return tilted_target(reference, judged(words, signs, offered=offered, shown_words=shown_words))


def test_masked_lm_is_the_mean_cross_entropy() -> None:
    logits = logits_of([0.5, 0.25, 0.25], [0.1, 0.1, 0.8])
    # −(ln 0.25 + ln 0.8) / 2
    assert masked_lm(logits, torch.tensor([1, 2])).item() == pytest.approx(
        -(math.log(0.25) + math.log(0.8)) / 2
    )


def test_kl_is_of_the_reference_to_the_model_in_nats() -> None:
    reference, model = logits_of([0.5, 0.5], [0.9, 0.1]), logits_of([0.25, 0.75], [0.9, 0.1])
    # (0.5 · ln 2 + 0.5 · ln ⅔ + 0) / 2 masks
    expected = (0.5 * math.log(2) + 0.5 * math.log(2 / 3)) / 2
    assert kl_to_reference(model, reference).item() == pytest.approx(expected)
    assert kl_to_reference(reference, reference).item() == pytest.approx(0.0, abs=1e-7)


def test_a_rejected_word_falls_to_a_quarter_or_below_the_sixteenth() -> None:
    # Three words: the last of the best is the third, 0.1. The rejected first goes to the lower of 0.6 / 4
    # = 0.15 and 0.1 · e^−0.5 = 0.060653; then all is divided by 0.060653 + 0.3 + 0.1 = 0.460653.
    target = tilted(logits_of([0.6, 0.3, 0.1]), [0], [-1.0], offered=3)
    assert probabilities(target) == pytest.approx([0.13167, 0.65125, 0.21708], abs=1e-5)


def test_an_accepted_word_rises_to_the_fourth_place_at_least_and_the_first_at_most() -> None:
    row = [0.4, 0.3, 0.1, 0.08, 0.06, 0.03, 0.02, 0.01]
    # 0.01 · 4 = 0.04 is less than the fourth, 0.08: it becomes 0.08; the sum is 1.07.
    target = tilted(logits_of(row), [7], [1.0], offered=8)
    assert probabilities(target)[7] == pytest.approx(0.08 / 1.07)
    # 0.3 · 4 is more than the first, 0.4: it becomes 0.4; the sum is 1.1.
    target = tilted(logits_of(row), [1], [1.0], offered=8)
    assert probabilities(target)[:2] == pytest.approx([0.4 / 1.1] * 2)
    # The best already: nothing to do.
    target = tilted(logits_of(row), [0], [1.0], offered=8)
    assert probabilities(target) == pytest.approx(row)


@pytest.mark.parametrize(("shown_words", "below", "least"), [(3, 10, 2), (5, 16, 4), (8, 25, 7), (10, 31, 9)])
def test_judged_words_move_into_the_shown_words_or_far_below(
    shown_words: int, below: int, least: int
) -> None:
    """Forty words, each half a nat likelier than the next, so that the rank decides, not the tilt."""
    reference = torch.arange(40.0, 0.0, -1.0)[None] / 2
    target = tilted(reference, [0, 39], [-1.0, 1.0], offered=40, shown_words=shown_words)[0]
    others = target[1:39]  # those of the places 2 to 39
    assert target[0] == pytest.approx(float(others[below - 2]) - RANK_MARGIN, abs=1e-4)
    assert target[39] == pytest.approx(float(others[least - 2]), abs=1e-4)


def test_words_without_votes_keep_their_odds() -> None:
    torch.manual_seed(0)
    reference = torch.randn(1, 40)
    target = tilted(reference, [3, 9], [1.0, -1.0], offered=30)
    others = [i for i in range(40) if i not in (3, 9)]
    moved = (target - functional.log_softmax(reference, dim=-1))[0, others]
    assert moved.std().item() == pytest.approx(0.0, abs=1e-6)
    assert target.exp().sum().item() == pytest.approx(1.0)


def test_ranks_are_counted_among_offered_words() -> None:
    # The last two may not be offered: the first place is 0.3, however likely a full stop is.
    target = tilted(logits_of([0.3, 0.05, 0.05, 0.02, 0.5, 0.08]), [1], [1.0], offered=4)
    assert probabilities(target)[1] == pytest.approx(0.2 / 1.15)  # 0.05 · 4, between the fourth and the first
    target = tilted(logits_of([0.3, 0.1, 0.01, 0.01, 0.5, 0.08]), [1], [1.0], offered=4)
    assert probabilities(target)[1] == pytest.approx(0.3 / 1.2)


def test_the_votes_loss_is_zero_at_the_target() -> None:
    reference = logits_of([0.6, 0.3, 0.1])
    votes = judged([0, 2], [-1.0, 1.0], offered=3)
    target = tilted_target(reference, votes)
    assert kl_with_hinge(target, target, votes).item() == pytest.approx(0.0, abs=1e-6)
    assert tilted_votes_loss(reference, reference, votes).item() > 0.1


def test_the_votes_loss_by_hand() -> None:
    # Model (½, ½), target (¼, ¾), the first word rejected with weight 1, the second accepted with weight 3.
    #   KL = ¼ · ln ½ + ¾ · ln 3/2
    #   hinges: rejected: (ln ¼ − ln ½) · −1 = ln 2; accepted: ln ¾ − ln ½ = ln 3/2
    #   their mean: (1 · ln 2 + 3 · ln 3/2) / 4
    votes = judged([0, 1], [-1.0, 1.0], offered=2, weights=[1.0, 3.0])
    loss = kl_with_hinge(logits_of([0.5, 0.5]), torch.tensor([[0.25, 0.75]]).log(), votes)
    divergence = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert loss.item() == pytest.approx(divergence + (math.log(2) + 3 * math.log(1.5)) / 4)


def test_a_word_beyond_its_target_is_not_pulled_back_by_the_hinge() -> None:
    target = torch.tensor([[0.25, 0.75]]).log()
    beyond = logits_of([0.1, 0.9])
    divergence = functional.kl_div(beyond, target, reduction="batchmean", log_target=True)
    loss = kl_with_hinge(beyond, target, judged([0], [-1.0], offered=2))
    assert loss.item() == pytest.approx(divergence.item())


def test_half_precision_logits_give_full_precision_losses() -> None:
    logits = torch.randn(3, 50).to(torch.bfloat16)
    assert masked_lm(logits, torch.tensor([1, 2, 3])).dtype == torch.float32
    assert kl_to_reference(logits, logits).dtype == torch.float32


def test_training_on_the_votes_loss_reaches_the_target() -> None:
    torch.manual_seed(0)
    reference = torch.randn(1, 30)
    votes = judged([4, 11], [-1.0, 1.0], offered=25)
    logits = reference.clone().requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        tilted_votes_loss(logits, reference, votes).backward()
        optimiser.step()
    target = tilted_target(reference, votes)
    assert functional.log_softmax(logits, dim=-1).detach().exp() == pytest.approx(target.exp(), abs=0.01)


def test_an_unwanted_word_is_pushed_only_while_it_is_among_the_best() -> None:
    """Twenty words of falling logits, of which the first two are unwanted."""
    logits = torch.arange(20.0, 0.0, -1.0).repeat(2, 1).requires_grad_()  # (2, 20)
    allowed = torch.arange(2, 20)
    loss = rank_hinge(logits, torch.tensor([0, 1]), allowed=allowed, rank=15)
    # The 16th best allowed word is token 17 (logit 3): 17 and 16 above, and half a nat more each.
    assert float(loss.detach()) == pytest.approx(17 + 16 + 2 * RANK_MARGIN)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[:, :2] > 0).all()
    below = torch.tensor([[0.0, 0.0, *range(20, 2, -1)]])
    assert float(rank_hinge(below, torch.tensor([0, 1]), allowed=allowed, rank=15)) == 0.0


def test_the_rank_hinge_works_with_fewer_than_sixteen_words() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0]])
    loss = rank_hinge(logits, torch.tensor([0]), allowed=torch.tensor([1, 2]), rank=15)
    assert float(loss) == pytest.approx(2 + RANK_MARGIN)


def test_the_polarity_loss_is_the_log_share_of_the_right_words() -> None:
    rows = logits_of([0.1, 0.2, 0.3, 0.4], [0.3, 0.3, 0.2, 0.2])
    right, wrong = torch.tensor([0, 1]), torch.tensor([2])
    # 0.3 of 0.6, and 0.6 of 0.8; the fourth word does not count.
    assert float(polarity_loss(rows, right, wrong)) == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2)
