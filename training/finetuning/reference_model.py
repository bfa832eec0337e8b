"""The model in training together with the reference model, a frozen copy of what it was before.

The lower layers and the word embeddings (which are also the output projection) are frozen: a gradient on one
word's row would change that word's score everywhere. Both models then share the computation of the lower
layers.
"""

import copy

import torch
from torch import Tensor, nn

from training.models.packed import Packing
from training.models.torch_model import MaskedLm


class ModelWithReference(nn.Module):
    """Logits of the model in training and of its reference model, with one pass through the shared layers.

    Batches are packed, and there is no dropout: its noise alone moved answers without votes by more than the
    votes did.
    """

    def __init__(self, model: MaskedLm, *, frozen_share: float) -> None:
        """Freeze the lowest layers and the embeddings of `model`, and copy the other layers as the reference.

        With a `frozen_share` of 0 nothing is frozen, and the embeddings are copied, too.
        """
        super().__init__()
        embeddings, layers = model.packed_embeddings, model.packed_layers
        shared = int(len(layers) * frozen_share)
        self._lower, upper = layers[:shared], layers[shared:]
        self._trained = nn.ModuleList([embeddings, upper, model.head])
        self._reference = copy.deepcopy(self._trained).eval().requires_grad_(False)
        self._is_shared = shared > 0
        if self._is_shared:
            self._lower.requires_grad_(False)
            embeddings.requires_grad_(False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of the model and of the reference, both (masks, vocabulary). Arguments as for `MaskedLm`."""
        packing = Packing.of(input_ids, attention_mask, mask_at)
        hidden = self._trained[0](input_ids, packing)  # (packed, hidden)
        for layer in self._lower:
            hidden = layer(hidden, packing)  # (packed, hidden)
        with torch.no_grad():
            start = hidden if self._is_shared else self._reference[0](input_ids, packing)
            reference = _upper_logits(self._reference, start, packing)
        return _upper_logits(self._trained, hidden, packing), reference


def _upper_logits(part: nn.ModuleList, hidden: Tensor, packing: Packing) -> Tensor:
    _, upper, head = part
    assert isinstance(upper, nn.ModuleList)
    for layer in upper[:-1]:
        hidden = layer(hidden, packing)  # (packed, hidden)
    logits: Tensor = head(upper[-1](hidden, packing, at_masks=True))
    return logits  # (masks, vocabulary)
