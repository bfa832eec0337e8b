"""Losses of fine-tuning and of domain training: scalars, computed in fp32 whatever the logits' type."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

TILT = math.log(4)  # nats by which a judged word's log-probability is to move: a factor of four
HIDDEN_FACTOR = 3  # an unwanted word belongs below the rank of this many times the shown words
RANK_MARGIN = 0.5  # and by this many nats


@dataclass(frozen=True, slots=True)
class BatchJudgements:
    """The judgements of a batch, flattened: every tensor but `allowed` is (judgements,).

    Attributes:
        rows: index of the mask.
        words: token id of the word.
        signs: +1 for wanted, −1 for unwanted.
        weights: how much the judgement counts.
        allowed: (offered,) token ids that may be offered; ranks are counted among them.
        shown_words: words that a reply shows for each mask.
    """

    rows: Tensor
    words: Tensor
    signs: Tensor
    weights: Tensor
    allowed: Tensor
    shown_words: int


# (masks, vocabulary) logits of the model and of the reference, and the judgements → a scalar.
VotesLoss = Callable[[Tensor, Tensor, BatchJudgements], Tensor]


def masked_lm(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the hidden tokens. logits (masks, vocabulary), targets (masks,) token ids."""
    return functional.cross_entropy(logits.float(), targets)


def kl_to_reference(logits: Tensor, reference: Tensor) -> Tensor:
    """Mean KL(reference ‖ model) over the masks, in nats. Both are (masks, vocabulary) logits."""
    return _kl(_log_softmax(reference), _log_softmax(logits))


def rank_hinge(logits: Tensor, unwanted: Tensor, *, allowed: Tensor, rank: int) -> Tensor:
    """How far unwanted words are above the best other word below a rank: nats per mask, summed.

    A hinge on ranks instead of probabilities, since people see the top of the list however small its
    probabilities are. A word below that rank has no gradient.

    Args:
        logits: (masks, vocabulary).
        unwanted: (words,) token ids.
        allowed: (offered,) token ids of all other words that may be offered.
        rank: the rank below which unwanted words belong.
    """
    # Without softmax: it cancels in the difference, but its gradient would move every other word.
    logits = logits.float()
    last = _top_words(logits, allowed, rank + 1)[:, -1:].detach()  # (masks, 1)
    return functional.relu(logits[:, unwanted] - last + RANK_MARGIN).sum(dim=-1).mean()


def polarity_loss(logits: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    """−log of the right words' share of the probability of right and wrong words, averaged over the masks.

    A logistic loss on what the suites measure as wanted_share. It moves the two groups against each other and
    leaves all other words alone.

    Args:
        logits: (masks, vocabulary).
        right, wrong: (words,) token ids.
    """
    logits = logits.float()
    return functional.softplus(logits[:, wrong].logsumexp(-1) - logits[:, right].logsumexp(-1)).mean()


def tilted_votes_loss(logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
    """Return the default `VotesLoss`: `kl_with_hinge` to the `tilted_target` of the reference model."""
    return kl_with_hinge(logits, tilted_target(reference, judged), judged)


def kl_with_hinge(logits: Tensor, target: Tensor, judged: BatchJudgements) -> Tensor:
    """KL(target ‖ model), plus the weighted mean shortfall of the judged words, in nats.

    The gradient of the hinge does not fade while a word of small probability is still among the best, and it
    is zero once the word has reached its target. Both parts have their minimum at the target.

    Args:
        logits: (masks, vocabulary).
        target: (masks, vocabulary) log-probabilities from `tilted_target`.
        judged: the judgements of the batch.
    """
    log_model = _log_softmax(logits)  # (masks, vocabulary)
    rows, words = judged.rows, judged.words
    short = functional.relu((target[rows, words] - log_model[rows, words]) * judged.signs)  # (judgements,)
    return _kl(target, log_model) + (short * judged.weights).sum() / judged.weights.sum().clamp_min(1e-9)


def tilted_target(reference: Tensor, judged: BatchJudgements) -> Tensor:
    """Move the judged words in the reference's distribution and renormalise: what the votes ask for.

    An unwanted word falls to a quarter of its probability and below three times as many ranks as are shown. A
    wanted word rises fourfold, at least to the last shown rank but one and at most to the best word's
    probability. All other words keep their odds among each other, so that no unrelated word replaces a
    rejected one. This is the closed form of a KL-regularised reward (Rafailov et al. 2305.18290, section 4:
    p* ∝ p_ref · exp(r)) with a floor and a ceiling by rank.

    Returns:
        (masks, vocabulary) log-probabilities.
    """
    before = _log_softmax(reference)  # (masks, vocabulary)
    best = _top_words(before, judged.allowed, HIDDEN_FACTOR * judged.shown_words + 1)  # (masks, ranks)
    rows, words = judged.rows, judged.words
    old = before[rows, words]  # (judgements,)
    lowered = torch.minimum(old - TILT, best[rows, -1] - RANK_MARGIN)
    seen = min(judged.shown_words - 2, best.shape[1] - 1)
    raised = torch.minimum(torch.maximum(old + TILT, best[rows, seen]), best[rows, 0])
    moved = before.clone()
    moved[rows, words] = torch.where(judged.signs > 0, torch.maximum(raised, old), lowered)
    return functional.log_softmax(moved, dim=-1)


def _log_softmax(logits: Tensor) -> Tensor:
    return functional.log_softmax(logits.float(), dim=-1)


def _kl(target: Tensor, log_model: Tensor) -> Tensor:
    """Mean KL(target ‖ model) over the masks, in nats. Both are (masks, vocabulary) log-probabilities."""
    return functional.kl_div(log_model, target, reduction="batchmean", log_target=True)


def _top_words(logs: Tensor, allowed: Tensor, count: int) -> Tensor:
    """Scores of the best words that may be offered, descending. (masks, vocabulary) → (masks, count)."""
    return logs[:, allowed].topk(min(count, len(allowed)), dim=-1).values
