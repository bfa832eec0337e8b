"""A model that is trained in its upper half, beside the model it was before.

The lower half and the word embeddings (which are the projection, too) stay as they are: one word's row would
otherwise move everywhere, and both models share the lower half's work, so that a step costs half as much.
"""

import copy

import torch
from torch import Tensor, nn

from training.batches import Batch
from training.model import MaskedLm


class Halves(nn.Module):
    """Logits of the model in training and of the model it was, over one pass through the shared half."""

    def __init__(self, model: MaskedLm) -> None:
        """Freeze the lower half of `model`, and keep a copy of the upper one as it is."""
        super().__init__()
        self._model = model
        shared = len(model.layers) // 3
        self._lower, self._upper = model.layers[:shared], model.layers[shared:]
        model.model.base_model.embeddings.requires_grad_(False)
        self._lower.requires_grad_(False)
        self._before = copy.deepcopy(nn.ModuleList([self._upper, model.head])).eval().requires_grad_(False)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits of the model, and of the model before: both (masks, vocabulary)."""
        mask = None if batch.attention_mask is None else batch.attention_mask[:, None, None, :].bool()
        with torch.no_grad():
            shared = self._model.model.base_model.embeddings(input_ids=batch.input_ids)
            for layer in self._lower:
                shared = layer(shared, mask)  # (batch, tokens, hidden)
            upper, head = self._before
            before = _through(upper, head, shared, mask, batch.mask_at)
        return _through(self._upper, self._model.head, shared, mask, batch.mask_at), before


def _through(
    upper: nn.Module, head: nn.Module, hidden: Tensor, mask: Tensor | None, mask_at: Tensor
) -> Tensor:
    assert isinstance(upper, nn.ModuleList)
    for layer in upper:
        hidden = layer(hidden, mask)
    logits: Tensor = head(hidden.flatten(0, 1)[mask_at])
    return logits
