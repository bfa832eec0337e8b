"""The losses, each a scalar in fp32."""

import math

import torch
from torch import Tensor
from torch.nn import functional

TILT = math.log(4)  # of a judged word's probability, up or down
HIDDEN_RANK = 15  # an unwanted word goes below this place: three times what is shown
RANK_MARGIN = 0.5  # and by so many nats


def masked_lm(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the hidden tokens. logits (masks, vocabulary), targets (masks,) token ids."""
    return functional.cross_entropy(logits.float(), targets)


def kl_to_reference(logits: Tensor, reference: Tensor) -> Tensor:
    """Mean KL(reference ‖ model) over the masks, in nats. Both (masks, vocabulary) logits."""
    log_model = functional.log_softmax(logits.float(), dim=-1)
    log_reference = functional.log_softmax(reference.float(), dim=-1)
    return functional.kl_div(log_model, log_reference, reduction="batchmean", log_target=True)


def above_the_best(logits: Tensor, unwanted: Tensor, *, allowed: Tensor) -> Tensor:
    """How far unwanted words reach above the 16th best of the others: nats a mask, summed over the words.

    A hinge on ranks rather than on probabilities: what people see is the top of the list, however small its
    probabilities are. Nothing is asked of a word that is below.

    Args:
        logits: (masks, vocabulary).
        unwanted: (words,) token ids.
        allowed: (offered,) token ids of all other words that may be offered.
    """
    logits = logits.float()  # the normaliser cancels in the difference, and would pull at every other word
    last = logits[:, allowed].topk(min(HIDDEN_RANK + 1, len(allowed)), dim=-1).values[:, -1:].detach()
    return functional.relu(logits[:, unwanted] - last + RANK_MARGIN).sum(dim=-1).mean()


def wrong_pole(logits: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    """−log of the share of the right words in the probability of right and wrong words; mean of the masks.

    What the suites call wanted_share, as a logistic loss: it moves the two groups against each other and
    leaves all other words to themselves.

    Args:
        logits: (masks, vocabulary).
        right, wrong: (words,) token ids.
    """
    logits = logits.float()
    return functional.softplus(logits[:, wrong].logsumexp(-1) - logits[:, right].logsumexp(-1)).mean()


def tilted_target(
    reference: Tensor, rows: Tensor, words: Tensor, signs: Tensor, *, allowed: Tensor
) -> Tensor:
    """The reference's log-probabilities with the judged words moved, renormalised: what the votes ask for.

    An unwanted word falls to a quarter of its probability, and below the 16th best word; a wanted word rises
    fourfold, at least to the fourth place and at most to the best word's. All other words keep their odds
    among each other, so nothing unrelated rises in the place of a rejected word. The closed form of a
    KL-regularised reward (Rafailov et al. 2305.18290, section 4: p* ∝ p_ref · exp(r)), with a floor and a
    ceiling by rank.

    Args:
        reference: (masks, vocabulary) logits of the model to start from.
        rows, words, signs: (judgements,) which mask, which token, +1 wanted or −1 unwanted.
        allowed: (offered,) tokens that may be offered; places are counted among them.

    Returns:
        (masks, vocabulary) log-probabilities.
    """
    before = functional.log_softmax(reference.float(), dim=-1)
    best = before[:, allowed].topk(min(HIDDEN_RANK + 1, len(allowed)), dim=-1).values  # (masks, 16)
    old = before[rows, words]
    lowered = torch.minimum(old - TILT, best[rows, -1] - RANK_MARGIN)
    raised = torch.minimum(torch.maximum(old + TILT, best[rows, min(3, best.shape[1] - 1)]), best[rows, 0])
    moved = before.clone()
    moved[rows, words] = torch.where(signs > 0, torch.maximum(raised, old), lowered)
    return functional.log_softmax(moved, dim=-1)


def votes_loss(
    logits: Tensor, target: Tensor, rows: Tensor, words: Tensor, signs: Tensor, weights: Tensor
) -> Tensor:
    """KL(target ‖ model), plus how far each judged word is short of its target, in nats.

    The second part is a hinge: its gradient does not fade while a word of small probability is still
    among the best, and is zero once the word is where it should be. Both parts have their minimum at the
    target.

    Args:
        logits: (masks, vocabulary).
        target: (masks, vocabulary) log-probabilities from `tilted_target`.
        rows, words, signs, weights: (judgements,).
    """
    log_model = functional.log_softmax(logits.float(), dim=-1)
    divergence = functional.kl_div(log_model, target, reduction="batchmean", log_target=True)
    short = functional.relu((target[rows, words] - log_model[rows, words]) * signs)
    return divergence + (short * weights).sum() / weights.sum().clamp_min(1e-9)
