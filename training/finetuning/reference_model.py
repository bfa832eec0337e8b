"""The model in training together with the reference model, a frozen copy of what it was before.

The lower layers and the word embeddings (which are also the output projection) are frozen: a gradient on one
word's row would change that word's score everywhere. Both models then share the computation of the lower
layers.
"""

import copy

import torch
from torch import Tensor, nn

from training.models.architectures.any_model import AnyModel
from training.models.architectures.architecture import FusedArchitecture
from training.models.packed import Packing
from training.models.torch_model import MaskedLm


def with_reference(model: MaskedLm, *, frozen_share: float) -> nn.Module:
    """Pair a model with its reference model.

    The result maps the arguments of `MaskedLm.forward` to the logits of the model and of the reference, both
    (masks, vocabulary). There is no dropout: its noise alone moved answers without votes by more than the
    votes did.

    Args:
        model: the model to train, whose lowest layers, embeddings and output projection are frozen.
        frozen_share: share of the layers to freeze; with 0 nothing is frozen.
    """
    architecture = model.architecture
    if isinstance(architecture, FusedArchitecture):
        return ModelWithReference(architecture, frozen_share=frozen_share)
    assert isinstance(architecture, AnyModel)
    return WholeModelWithReference(architecture, frozen_share=frozen_share)


class ModelWithReference(nn.Module):
    """Both models on packed batches, with one pass through the shared layers."""

    def __init__(self, architecture: FusedArchitecture, *, frozen_share: float) -> None:
        """Freeze the lower part, and copy the rest as the reference."""
        super().__init__()
        embeddings, layers = architecture.packed_embeddings, architecture.packed_layers
        shared = int(len(layers) * frozen_share)
        self._lower, upper = layers[:shared], layers[shared:]
        self._trained = nn.ModuleList([embeddings, upper, architecture.head])
        self._reference = copy.deepcopy(self._trained).eval().requires_grad_(False)
        self._is_shared = shared > 0
        if self._is_shared:
            self._lower.requires_grad_(False)
            embeddings.requires_grad_(False)
            architecture.projection.weight.requires_grad_(False)  # where it is not tied to the embeddings

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of the model and of the reference."""
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


class WholeModelWithReference(nn.Module):
    """Both models one after the other, for families whose layers are not known."""

    def __init__(self, architecture: AnyModel, *, frozen_share: float) -> None:
        """Freeze the lower part, and copy the whole model as the reference."""
        super().__init__()
        self._architecture = architecture
        self._reference_architecture = copy.deepcopy(architecture)
        self._trained = architecture.model
        self._reference = self._reference_architecture.model.eval().requires_grad_(False)
        architecture.freeze(frozen_share)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of the model and of the reference."""
        self._trained.eval()  # without dropout; gradients are computed all the same
        inputs = (input_ids, attention_mask, mask_at)
        _, logits = self._architecture.states_and_logits(*inputs)
        with torch.no_grad():
            _, reference = self._reference_architecture.states_and_logits(*inputs)
        return logits, reference
