"""What the votes teach about words, added to a model's logits where a sentence asks for a judgement.

    z' = z + s · shift(good words) − (1 − p) · d + s p · shift(other words)

`s` is the probability that the blank asks for a judgement of a product or a service, and `p` the probability
that it asks for praise: logistic regressions, `s` on the encoder's state, `p` on that and the model's own
log-odds of good and bad words. Good words are moved against each other wherever a judgement is asked for. But
all of them together gain on bad ones, and bad words sink, only where praise is asked for: `d` is what the
shift adds to the log-probability of all good words together. So a complaint stays a complaint.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor


class SlotScores(NamedTuple):
    """What the encoder's states say about masks.

    Attributes:
        judgement: (masks, 1) probability that a judgement is asked for.
        side: (masks, 1) what they add to the log-odds of praise.
    """

    judgement: Tensor
    side: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class OutputShift:
    """The parameters of the shift.

    Attributes:
        good, bad: (words,) int64 token ids, by whose log-odds the model's own opinion of a blank is measured.
        shifts: (vocabulary,) nats by which each word moves.
        slot_weight, slot_bias: (hidden,) and () of the regression for judgements.
        side_weight, side_bias: (hidden,) and () of the regression for praise.
        odds_weight: of the model's own log-odds in it.
    """

    good: Tensor
    bad: Tensor
    shifts: Tensor
    slot_weight: Tensor
    slot_bias: Tensor
    side_weight: Tensor
    side_bias: Tensor
    odds_weight: float = 0.0

    def to(self, device: torch.device) -> Self:
        """Copy to a device."""
        names = ("good", "bad", "shifts", "slot_weight", "slot_bias", "side_weight", "side_bias")
        tensors: dict[str, Any] = {name: getattr(self, name).to(device) for name in names}
        return replace(self, **tensors)

    def scaled(self, share: float) -> Self:
        """Return the shift with a share of its nats."""
        return replace(self, shifts=self.shifts * share)

    def reordered(self, order: Tensor) -> Self:
        """Return the shift for states whose channels are in another order: (hidden,) the old places."""
        order = order.to(self.slot_weight.device)
        return replace(self, slot_weight=self.slot_weight[order], side_weight=self.side_weight[order])

    @property
    def directions(self) -> Tensor:
        """(3, vocabulary): shifts of the good words, 1 for each good word, and shifts of all other words."""
        is_good = torch.zeros_like(self.shifts)
        is_good[self.good] = 1.0
        return torch.stack([self.shifts * is_good, is_good, self.shifts * (1 - is_good)])

    def scores(self, states: Tensor) -> SlotScores:
        """Score masks by the (masks, hidden) states of the encoder."""
        states = states.float()
        judgement = torch.sigmoid(states @ self.slot_weight + self.slot_bias)
        return SlotScores(judgement[:, None], (states @ self.side_weight + self.side_bias)[:, None])

    def apply(self, logits: Tensor, scores: SlotScores) -> Tensor:
        """Shift (masks, vocabulary) logits. Returns float32."""
        logits = logits.float()
        good = logits[:, self.good]
        of_good = good.logsumexp(-1, keepdim=True)
        odds = of_good - logits[:, self.bad].logsumexp(-1, keepdim=True)
        slots, praise = scores.judgement, torch.sigmoid(self.odds_weight * odds + scores.side)
        gained = (good + slots * self.shifts[self.good]).logsumexp(-1, keepdim=True) - of_good
        amounts = torch.cat([slots, -gained * (1 - praise), slots * praise], dim=-1)  # (masks, 3)
        return logits + amounts @ self.directions
