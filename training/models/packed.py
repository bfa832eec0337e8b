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
    """The embeddings of BERT and its kin, for a single segment."""

    def __init__(self, embeddings: Any, *, first_position: int = 0) -> None:
        """Share the weights of transformers' module; `first_position` is the row of the first token's."""
        super().__init__()
        self._first_position = first_position
        self.words, self.positions = embeddings.word_embeddings, embeddings.position_embeddings
        self.segments, self.norm = getattr(embeddings, "token_type_embeddings", None), embeddings.LayerNorm

    def forward(self, input_ids: Tensor, packing: Packing) -> Tensor:
        """(batch, tokens) ids → (packed, hidden)."""
        embedded = self.words(input_ids.flatten()[packing.tokens]) + self.positions(
            packing.columns + self._first_position
        )
        if self.segments is not None:
            embedded = embedded + self.segments.weight[0]
        normed: Tensor = self.norm(embedded)
        return normed


class PackedLayer(nn.Module):
    """A post-norm transformer layer, as in BERT and DistilBERT. Without dropout."""

    def __init__(self, parts: Mapping[str, nn.Module], *, heads: int, activation: nn.Module) -> None:
        """Share the weights of a layer.

        Args:
            parts: its modules by name: q, k, v, o, attention_norm, up, down and output_norm.
            heads: number of attention heads.
            activation: between up and down.
        """
        super().__init__()
        self._heads = heads
        self._parts = nn.ModuleDict(dict(parts))
        self._activation = activation

    def forward(self, hidden: Tensor, packing: Packing, *, at_masks: bool = False) -> Tensor:
        """(packed, hidden) → the same shape, or (masks, hidden) where only the masks are needed."""
        parts = self._parts
        queries, keys, values = (parts[name](hidden) for name in "qkv")
        attended = attend(queries, keys, values, packing, heads=self._heads)
        if at_masks:
            attended, hidden = attended[packing.mask_at], hidden[packing.mask_at]
        hidden = parts["attention_norm"](hidden + parts["o"](attended))
        up = self._activation(parts["up"](hidden))
        normed: Tensor = parts["output_norm"](hidden + parts["down"](up))
        return normed


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    packing: Packing,
    *,
    heads: int,
    window: int | None = None,
) -> Tensor:
    """Attention within each row, at most `window` tokens to either side: (packed, hidden) each → the same.

    On a CPU in fp32, also under autocast: in bf16 its backward pass takes four times as long.
    """
    is_on_cpu = queries.device.type == "cpu"
    if is_on_cpu:
        queries, keys, values = (each.float() for each in (queries, keys, values))
    sizes = [rows * length for rows, length in packing.groups]
    # Split, not slices: each slice's gradient would be as large as the whole.
    split = [torch.split(each, sizes) for each in (queries, keys, values)]
    attended = []
    for (rows, length), *group in zip(packing.groups, *split, strict=True):
        q, k, v = (each.view(rows, length, heads, -1).transpose(1, 2) for each in group)
        is_near = None
        if window is not None and length > window + 1:
            columns = torch.arange(length, device=queries.device)
            is_near = (columns[:, None] - columns).abs() <= window  # (length, length)
        # (rows, heads, length, head size)
        with torch.autocast("cpu", enabled=not is_on_cpu and torch.is_autocast_enabled("cpu")):
            answer = functional.scaled_dot_product_attention(q, k, v, attn_mask=is_near)
        attended.append(answer.transpose(1, 2).reshape(rows * length, -1))
    return torch.cat(attended)
