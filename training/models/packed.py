"""The encoder on packed tokens: no padding is computed, and the last layer only for the masks.

Rows are sorted by length and joined, so that linear layers see one matrix of all tokens; attention runs over
the rows of one length at a time and needs no mask. Queries and sentences have 5 to 40 tokens: padded to the
longest of a batch, a third and more of it is padding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the tokens of a padded batch are in the packed one.

    Attributes:
        tokens: (packed,) positions in the flattened padded batch, shorter rows first.
        columns: (packed,) positions in the row.
        mask_at: (masks,) positions of the masks in the packed batch.
        groups: number of rows, and their length, of each group of rows of one length.
    """

    tokens: Tensor
    columns: Tensor
    mask_at: Tensor
    groups: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Self:
        """Pack a batch; the arguments are those of `MaskedLm.forward`. Padding is on the right."""
        rows, width = input_ids.shape
        device = input_ids.device
        if attention_mask is None:
            lengths = torch.full((rows,), width, device=device)
        else:
            lengths = attention_mask.sum(dim=1)
        order = torch.argsort(lengths, stable=True)  # (rows,)
        lengths = lengths[order]
        columns = torch.arange(width, device=device).expand(rows, width)
        is_token = columns < lengths[:, None]
        tokens = (order[:, None] * width + columns)[is_token]  # (packed,)
        places = torch.empty(rows * width, dtype=torch.int64, device=device)
        places[tokens] = torch.arange(len(tokens), device=device)
        groups = tuple((len(list(rows)), length) for length, rows in groupby(lengths.tolist()))
        return cls(tokens, columns[is_token], places[mask_at], groups)


class PackedEmbeddings(nn.Module):
    """The embeddings of BERT or DistilBERT, for a single segment."""

    def __init__(self, embeddings: Any) -> None:
        """Share the weights of transformers' module."""
        super().__init__()
        self.words, self.positions = embeddings.word_embeddings, embeddings.position_embeddings
        self.segments, self.norm = getattr(embeddings, "token_type_embeddings", None), embeddings.LayerNorm

    def forward(self, input_ids: Tensor, packing: Packing) -> Tensor:
        """(batch, tokens) ids → (packed, hidden)."""
        embedded = self.words(input_ids.flatten()[packing.tokens]) + self.positions(packing.columns)
        if self.segments is not None:
            embedded = embedded + self.segments.weight[0]
        normed: Tensor = self.norm(embedded)
        return normed


class PackedLayer(nn.Module):
    """A post-norm transformer layer with GELU, as in BERT and DistilBERT. Without dropout."""

    def __init__(self, parts: Mapping[str, nn.Module], *, heads: int) -> None:
        """Share the weights of a layer of `MaskedLm`.

        Args:
            parts: its modules by the names of `MaskedLm.weights`: q, k, v, o, attention_norm, up, down and
                output_norm.
            heads: number of attention heads.
        """
        super().__init__()
        self._heads = heads
        self._parts = nn.ModuleDict(dict(parts))

    def forward(self, hidden: Tensor, packing: Packing, *, at_masks: bool = False) -> Tensor:
        """(packed, hidden) → the same shape, or (masks, hidden) where only the masks are needed."""
        parts = self._parts
        attended = self._attend(hidden, packing)
        if at_masks:
            attended, hidden = attended[packing.mask_at], hidden[packing.mask_at]
        hidden = parts["attention_norm"](hidden + parts["o"](attended))
        up = functional.gelu(parts["up"](hidden))
        normed: Tensor = parts["output_norm"](hidden + parts["down"](up))
        return normed

    def _attend(self, hidden: Tensor, packing: Packing) -> Tensor:
        """Attention within each row: (packed, hidden) → the same shape."""
        sizes = [rows * length for rows, length in packing.groups]
        # split(), not slices: each slice's gradient would be as large as the whole.
        split = [self._parts[name](hidden).split(sizes) for name in "qkv"]
        attended = []
        for (rows, length), *group in zip(packing.groups, *split, strict=True):
            by_head = (each.view(rows, length, self._heads, -1).transpose(1, 2) for each in group)
            answer = functional.scaled_dot_product_attention(*by_head)  # (rows, heads, length, head size)
            attended.append(answer.transpose(1, 2).reshape(rows * length, -1))
        return torch.cat(attended)
