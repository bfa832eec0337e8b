"""What the votes teach about words, added to a model's logits where a sentence asks for a judgement.

    z' = z + s · shift(good words) − (1 − p) · d + s p · shift(other words)

`s` is the probability that the blank asks for a judgement of a product or a service (logistic regression on
the encoder's state), and `p` says how far it asks for praise (from the log-odds of good and bad words that
the model itself gives). Good words are moved against each other wherever a judgement is asked for. But all of
them together gain on bad ones, and bad words sink, only where praise is asked for: `d` is what the shift adds
to the log-probability of all good words together. So a complaint stays a complaint.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

STEEPNESS, THRESHOLD = 3.0, 1.0  # of p, per nat and in nats of the log-odds of good to bad words


@dataclass(frozen=True, slots=True, eq=False)
class OutputShift:
    """The parameters of the shift.

    Attributes:
        good, bad: (words,) int64 token ids, by which the model's own opinion of a blank is measured.
        shifts: (vocabulary,) nats by which each word moves.
        slot_weight: (hidden,) of the logistic regression on the encoder's state at the mask.
        slot_bias: () of the same.
    """

    good: Tensor
    bad: Tensor
    shifts: Tensor
    slot_weight: Tensor
    slot_bias: Tensor

    def to(self, device: torch.device) -> Self:
        """Copy to a device."""
        names = ("good", "bad", "shifts", "slot_weight", "slot_bias")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def scaled(self, share: float) -> Self:
        """Return the shift with a share of its nats."""
        return replace(self, shifts=self.shifts * share)

    def reordered(self, order: Tensor) -> Self:
        """Return the shift for states whose channels are in another order: (hidden,) the old places."""
        return replace(self, slot_weight=self.slot_weight[order.to(self.slot_weight.device)])

    @property
    def directions(self) -> Tensor:
        """(3, vocabulary): shifts of the good words, 1 for each good word, and shifts of all other words."""
        is_good = torch.zeros_like(self.shifts)
        is_good[self.good] = 1.0
        return torch.stack([self.shifts * is_good, is_good, self.shifts * (1 - is_good)])

    def slots(self, states: Tensor) -> Tensor:
        """How far the shift applies at each mask: (masks, hidden) states of the encoder → (masks, 1)."""
        return torch.sigmoid(states.float() @ self.slot_weight + self.slot_bias)[:, None]

    def apply(self, logits: Tensor, slots: Tensor) -> Tensor:
        """Shift (masks, vocabulary) logits, given (masks, 1) `slots`. Returns float32."""
        logits = logits.float()
        good = logits[:, self.good]
        of_good = good.logsumexp(-1, keepdim=True)
        odds = of_good - logits[:, self.bad].logsumexp(-1, keepdim=True)
        praise = torch.sigmoid(STEEPNESS * (odds - THRESHOLD))
        gained = (good + slots * self.shifts[self.good]).logsumexp(-1, keepdim=True) - of_good
        amounts = torch.cat([slots, -gained * (1 - praise), slots * praise], dim=-1)  # (masks, 3)
        return logits + amounts @ self.directions
