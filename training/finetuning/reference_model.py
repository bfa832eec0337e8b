"""A model that is trained in its upper part, beside the model it was before.

The lower layers and the word embeddings (which are the projection, too) stay as they are: one word's row
would otherwise move everywhere, and both models share the lower part's work.
"""

import copy

import torch
from torch import Tensor, nn

from training.models.torch_model import MaskedLm


class ModelWithReference(nn.Module):
    """Logits of the model in training and of the model it was, over one pass through what they share."""

    def __init__(self, model: MaskedLm, *, frozen_share: float) -> None:
        """Freeze so much of the layers, from below, with the embeddings; keep a copy of the rest as it is.

        With 0 nothing is frozen.
        """
        super().__init__()
        embeddings = model.model.base_model.embeddings
        shared = int(len(model.layers) * frozen_share)
        self._lower, upper = model.layers[:shared], model.layers[shared:]
        self._now = nn.ModuleList([embeddings, upper, model.head])
        self._before = copy.deepcopy(self._now).eval().requires_grad_(False)
        self._is_shared = shared > 0
        if self._is_shared:
            self._lower.requires_grad_(False)
            embeddings.requires_grad_(False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of the model, and of the model before: both (masks, vocabulary). Takes what they do."""
        mask = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        hidden = self._now[0](input_ids=input_ids)
        for layer in self._lower:
            hidden = layer(hidden, mask)  # (batch, tokens, hidden)
        with torch.no_grad():
            old = hidden if self._is_shared else self._before[0](input_ids=input_ids)
            before = _through(self._before, old, mask, mask_at)
        return _through(self._now, hidden, mask, mask_at), before


def _through(part: nn.ModuleList, hidden: Tensor, mask: Tensor | None, mask_at: Tensor) -> Tensor:
    _, upper, head = part
    assert isinstance(upper, nn.ModuleList)
    for layer in upper:
        hidden = layer(hidden, mask)
    logits: Tensor = head(hidden.flatten(0, 1)[mask_at])
    return logits  # (masks, vocabulary)
