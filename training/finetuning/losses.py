"""The losses, each a scalar in fp32."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor
from torch.nn import functional

TILT = math.log(4)  # of a judged word's probability, up or down
HIDDEN_RANK = 15  # an unwanted word goes below this place: three times what is shown
RANK_MARGIN = 0.5  # and by so many nats
SHOWN_WEIGHT = 0.7  # of unwanted words that come up among the best of sentences nobody voted on


@dataclass(frozen=True, slots=True)
class BatchJudgements:
    """The judgements of a batch, flat: (judgements,) each.

    Attributes:
        rows: which mask.
        words: which token.
        signs: +1 wanted, −1 unwanted.
        weights: how much it counts.
        allowed: (offered,) tokens that may be offered; places are counted among them.
    """

    rows: Tensor
    words: Tensor
    signs: Tensor
    weights: Tensor
    allowed: Tensor


class VotesLoss(Protocol):
    """A loss on voted queries."""

    def __call__(self, logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
        """A scalar; logits of the model and of the model before, both (masks, vocabulary)."""


def masked_lm(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the hidden tokens. logits (masks, vocabulary), targets (masks,) token ids."""
    return functional.cross_entropy(logits.float(), targets)


def kl_to_reference(logits: Tensor, reference: Tensor) -> Tensor:
    """Mean KL(reference ‖ model) over the masks, in nats. Both (masks, vocabulary) logits."""
    log_model = functional.log_softmax(logits.float(), dim=-1)
    log_reference = functional.log_softmax(reference.float(), dim=-1)
    return functional.kl_div(log_model, log_reference, reduction="batchmean", log_target=True)


def rank_hinge(logits: Tensor, unwanted: Tensor, *, allowed: Tensor) -> Tensor:
    """How far unwanted words reach above the 16th best of the others: nats a mask, summed over the words.

    A hinge on ranks rather than on probabilities: what people see is the top of the list, however small its
    probabilities are. Nothing is asked of a word that is below.

    Args:
        logits: (masks, vocabulary).
        unwanted: (words,) token ids.
        allowed: (offered,) token ids of all other words that may be offered.
    """
    logits = logits.float()  # the normaliser cancels in the difference, and would pull at every other word
    last = _best(logits, allowed)[:, -1:].detach()
    return functional.relu(logits[:, unwanted] - last + RANK_MARGIN).sum(dim=-1).mean()


def polarity_loss(logits: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    """−log of the share of the right words in the probability of right and wrong words; mean of the masks.

    What the suites call wanted_share, as a logistic loss: it moves the two groups against each other and
    leaves all other words to themselves.

    Args:
        logits: (masks, vocabulary).
        right, wrong: (words,) token ids.
    """
    logits = logits.float()
    return functional.softplus(logits[:, wrong].logsumexp(-1) - logits[:, right].logsumexp(-1)).mean()


def tilted_votes_loss(logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
    """Our loss on voted queries: `kl_with_hinge` with the reference's `tilted_target`."""
    return kl_with_hinge(logits, tilted_target(reference, judged), judged)


def kl_with_hinge(logits: Tensor, target: Tensor, judged: BatchJudgements) -> Tensor:
    """KL(target ‖ model), plus how far each judged word is short of its target, in nats.

    The second part is a hinge: its gradient does not fade while a word of small probability is still
    among the best, and is zero once the word is where it should be. Both parts have their minimum at the
    target.

    Args:
        logits: (masks, vocabulary).
        target: (masks, vocabulary) log-probabilities from `tilted_target`.
        judged: what the votes say.
    """
    log_model = functional.log_softmax(logits.float(), dim=-1)
    divergence = functional.kl_div(log_model, target, reduction="batchmean", log_target=True)
    rows, words = judged.rows, judged.words
    short = functional.relu((target[rows, words] - log_model[rows, words]) * judged.signs)
    return divergence + (short * judged.weights).sum() / judged.weights.sum().clamp_min(1e-9)


def tilted_target(reference: Tensor, judged: BatchJudgements) -> Tensor:
    """The reference's log-probabilities with the judged words moved, renormalised: what the votes ask for.

    An unwanted word falls to a quarter of its probability, and below the 16th best word; a wanted word rises
    fourfold, at least to the fourth place and at most to the best word's. All other words keep their odds
    among each other, so nothing unrelated rises in the place of a rejected word. The closed form of a
    KL-regularised reward (Rafailov et al. 2305.18290, section 4: p* ∝ p_ref · exp(r)), with a floor and a
    ceiling by rank.

    Returns:
        (masks, vocabulary) log-probabilities.
    """
    before = functional.log_softmax(reference.float(), dim=-1)
    best = _best(before, judged.allowed)
    rows, words = judged.rows, judged.words
    old = before[rows, words]
    lowered = torch.minimum(old - TILT, best[rows, -1] - RANK_MARGIN)
    raised = torch.minimum(torch.maximum(old + TILT, best[rows, min(3, best.shape[1] - 1)]), best[rows, 0])
    moved = before.clone()
    moved[rows, words] = torch.where(judged.signs > 0, torch.maximum(raised, old), lowered)
    return functional.log_softmax(moved, dim=-1)


@dataclass(frozen=True, slots=True)
class GeneralizationLoss:
    """What judged words should do on sentences nobody voted on.

    Attributes:
        words: (words,) tokens.
        shifts: (words,) nats by which each moves in praise; < 0 for unwanted words.
        allowed: (offered,) tokens that may be offered.
        others: (offered,) those of them that are not unwanted.
    """

    words: Tensor
    shifts: Tensor
    allowed: Tensor
    others: Tensor

    @classmethod
    def of(cls, tilts: Mapping[int, float], *, raise_by: float, sink_by: float, allowed: Tensor) -> Self:
        """Token → tilt in [−1, 1], at least one on either side, as shifts of so many nats at most."""
        words = torch.tensor(list(tilts), device=allowed.device)
        shifts = torch.tensor(
            [tilt * (raise_by if tilt > 0 else sink_by) for tilt in tilts.values()], device=allowed.device
        )
        return cls(words, shifts, allowed, allowed[~torch.isin(allowed, words[shifts < 0])])

    def in_praise(self, logits: Tensor, reference: Tensor) -> Tensor:
        """Unwanted words sink, also below the 16th place; wanted ones rise, at most to the best word's."""
        before = functional.log_softmax(reference.float(), dim=-1)
        best, old = _best(before, self.allowed), before[:, self.words]
        lowered = torch.minimum(old + self.shifts, best[:, -1:] - RANK_MARGIN)
        raised = torch.minimum(old + self.shifts, torch.maximum(best[:, :1], old))
        loss = self._toward(torch.where(self.shifts < 0, lowered, raised), logits, before, sign=1)
        return loss + SHOWN_WEIGHT * rank_hinge(logits, self.words[self.shifts < 0], allowed=self.others)

    def in_blame(self, logits: Tensor, reference: Tensor) -> Tensor:
        """The other way round: where blame is asked for, an unwanted word is the right one."""
        before = functional.log_softmax(reference.float(), dim=-1)
        return self._toward(before[:, self.words] - self.shifts, logits, before, sign=-1)

    def _toward(self, moved: Tensor, logits: Tensor, before: Tensor, *, sign: int) -> Tensor:
        """KL(target ‖ model), plus what is missing of the odds of all wanted to all unwanted words."""
        target = before.clone()
        target[:, self.words] = moved
        target = functional.log_softmax(target, dim=-1)
        log_model = functional.log_softmax(logits.float(), dim=-1)
        divergence = functional.kl_div(log_model, target, reduction="batchmean", log_target=True)
        missing = functional.relu(sign * (self._odds(target) - self._odds(log_model)))  # (masks,)
        return divergence + missing.mean()

    def _odds(self, logs: Tensor) -> Tensor:
        """By how much the wanted words together are likelier, in nats: (masks,)."""
        wanted, unwanted = self.words[self.shifts > 0], self.words[self.shifts < 0]
        return logs[:, wanted].logsumexp(dim=-1) - logs[:, unwanted].logsumexp(dim=-1)


def _best(logs: Tensor, allowed: Tensor) -> Tensor:
    """The 16 best of what may be offered, falling. (masks, vocabulary) → (masks, 16)."""
    return logs[:, allowed].topk(min(HIDDEN_RANK + 1, len(allowed)), dim=-1).values
