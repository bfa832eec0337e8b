"""The columns of a word's forms as one column, as a served model has them: `words.Fold` on tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.inference.words import EXCLUDED, Slot, Words


class Folding:
    """Folds logits; returns them as they are if every word has one form that fits anywhere."""

    def __init__(self, words: Words, device: torch.device) -> None:
        self._folds = {
            slot: tuple(
                torch.from_numpy(column).to(device)
                for column in (fold.members, fold.places, fold.words, fold.others)
            )
            for slot, fold in (words.folds or {}).items()
        }

    def apply(self, logits: Tensor, slots: Sequence[Slot]) -> Tensor:
        """Add the probabilities of the forms that fit. logits: (masks, vocabulary), `slots` one per mask."""
        if not self._folds:
            return logits
        logits = logits.float()
        for slot in sorted(set(slots)):
            members, places, words, others = self._folds[slot]
            rows = torch.tensor(
                [row for row, other in enumerate(slots) if other is slot], device=logits.device
            )
            part = logits[rows]
            best = part.detach().amax(dim=-1, keepdim=True)
            sums = part.new_zeros(len(rows), len(words))
            sums = sums.index_add(1, places, (part[:, members] - best).exp()).clamp_min(1e-38)
            part = part.index_fill(1, others, EXCLUDED).index_copy(1, words, sums.log() + best)
            logits = logits.index_copy(0, rows, part)
        return logits
