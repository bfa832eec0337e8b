"""Padded batches: queries with their masks, and corpus texts with hidden words."""

import math
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from training.inference.encoder import Encoded, Encoder

SELDOM = 0.1  # how often words that queries hardly ever mask are hidden, relative to the others
FOCUS_SHARE = 0.7  # of the rows have the word in focus hidden: what queries will ask for is learnt more often

T = TypeVar("T")
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """The arguments of a forward pass, and the hidden tokens if it is a corpus batch."""

    input_ids: Tensor  # (batch, tokens) int64
    attention_mask: Tensor | None  # (batch, tokens) int64; None when nothing is padded
    mask_at: Tensor  # (masks,) int64, row · tokens + column
    targets: Tensor | None = None  # (masks,) int64 token ids
    polarity: Tensor | None = None  # (masks,) int64, the text's polarity where its focus is hidden, else 0

    def to(self, device: torch.device) -> "Batch":
        """Copy to a device without blocking."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {
            name: each.to(device, non_blocking=True) for name, each in tensors.items() if each is not None
        }
        return replace(self, **moved)

    def forward(self, model: nn.Module, *, micro_batches: int = 1) -> tuple[Tensor, ...]:
        """Return the model's outputs for all masks, each (masks, vocabulary).

        With several micro-batches, activations are recomputed one micro-batch at a time in the backward pass
        (activation checkpointing): a third more work, the memory of one micro-batch, the same gradients.
        """
        if micro_batches == 1:
            return _as_tuple(model(self.input_ids, self.attention_mask, self.mask_at))
        size = max(1, math.ceil(len(self.input_ids) / micro_batches))
        outputs = [
            checkpoint(
                lambda *rows: _as_tuple(model(*rows)), *self.rows(start, start + size), use_reentrant=False
            )
            for start in range(0, len(self.input_ids), size)
        ]
        return tuple(torch.cat(parts) for parts in zip(*outputs, strict=True))

    def rows(self, start: int, stop: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return the rows [start, stop) as arguments of a forward pass: token ids, attention mask, masks."""
        width = self.input_ids.shape[1]
        is_inside = (self.mask_at >= start * width) & (self.mask_at < stop * width)
        attention = self.attention_mask
        return (
            self.input_ids[start:stop],
            None if attention is None else attention[start:stop],
            self.mask_at[is_inside] - start * width,
        )

    @property
    def tokens(self) -> int:
        """Number of tokens without padding."""
        return int(self.input_ids.numel() if self.attention_mask is None else self.attention_mask.sum())


def joined(batches: Sequence[Batch], pad: int) -> Batch:
    """Join the rows of several batches, padded to the widest; without targets and polarity."""
    width = max(batch.input_ids.shape[1] for batch in batches)
    masks, at = [], []
    start = 0
    for batch in batches:
        rows, own_width = batch.input_ids.shape
        mask = torch.ones_like(batch.input_ids) if batch.attention_mask is None else batch.attention_mask
        masks.append(functional.pad(mask, (0, width - own_width)))
        at.append((start + batch.mask_at // own_width) * width + batch.mask_at % own_width)
        start += rows
    ids = [functional.pad(b.input_ids, (0, width - b.input_ids.shape[1]), value=pad) for b in batches]
    attention = torch.cat(masks)
    return Batch(torch.cat(ids), None if bool(attention.all()) else attention, torch.cat(at))


def pad_rows(rows: Sequence[Sequence[int]], pad: int) -> tuple[Ints, Ints]:
    """Pad rows of token ids to (batch, tokens) arrays: the ids, and the attention mask."""
    lengths = np.array([[len(row)] for row in rows])  # (batch, 1)
    attention = (np.arange(lengths.max()) < lengths).astype(np.int64)  # (batch, tokens)
    ids = np.full_like(attention, pad)
    ids[attention == 1] = np.concatenate(rows)
    return ids, attention


def query_batch(queries: Sequence[Encoded], pad: int) -> Batch:
    """Make a batch of queries; the rows of the logits are all their masks, in order."""
    ids, attention = pad_rows([q.ids for q in queries], pad)
    at = [row * ids.shape[1] + column for row, q in enumerate(queries) for column in q.masks]
    return _batch(ids, attention, np.asarray(at, dtype=np.int64), None)


def shuffled_batches(items: Sequence[T], size: int, seed: int) -> Iterator[list[T]]:
    """Yield batches of at most `size` items endlessly, reshuffled at each pass.

    Raises:
        ValueError: `items` is empty.
    """
    order = list(items)
    if not order:
        raise ValueError("no items to draw batches from")
    shuffle = random.Random(seed).shuffle  # noqa: S311
    while True:
        shuffle(order)
        for start in range(0, len(order), size):
            yield order[start : start + size]


class CorpusBatches:
    """An endless iterator over batches of texts with whole words hidden. Deterministic in the seed.

    Of the chosen tokens 80 % become the mask token, 10 % a random token, and 10 % stay (BERT, Devlin et al.
    1810.04805). Texts of similar length share a batch to save padding. Each pass reshuffles the texts.
    """

    def __init__(
        self,
        texts: Sequence[str],
        encoder: Encoder,
        *,
        batch_examples: int,
        mask_share: float,
        max_tokens: int,
        seed: int,
        focus: Sequence[tuple[int, int] | None] = (),
        polarities: Sequence[int] = (),
        seldom: Collection[str] = (),
    ) -> None:
        """Tokenise the texts once, and drop those without a word.

        Args:
            texts: the training texts.
            encoder: the model's encoder.
            batch_examples: texts per batch.
            mask_share: share of the words to hide.
            max_tokens: length to which texts are cut.
            seed: seed of the order and the masks.
            focus: for each text the span of characters that a query would mask, or None; it is hidden in
                `FOCUS_SHARE` of the cases.
            polarities: for each text the value of `Batch.polarity` where its focus is hidden.
            seldom: tokens that are hidden `SELDOM` times as often as the others.

        Raises:
            ValueError: no text is left.
        """
        self._encoder = encoder
        self._size, self._share = batch_examples, mask_share
        self._random = np.random.default_rng(seed)
        limit = min(max_tokens, encoder.max_tokens)
        self.rows: list[list[int]] = []
        self._focus: list[list[int]] = []  # positions in the row
        self._polarities: list[int] = []
        spans, polarities = focus or [None] * len(texts), polarities or [0] * len(texts)
        for text, span, polarity in zip(texts, spans, polarities, strict=True):
            if len(row := encoder.encode_text(text, limit)) > 2:
                self.rows.append(row)
                at = encoder.tokens_at(text, span) if span else []
                self._focus.append([position for position in at if position < len(row) - 1])
                self._polarities.append(polarity)
        if not self.rows:
            raise ValueError("the corpus has no text")
        self._words = words = encoder.words
        self._scale = np.ones(words.size, dtype=np.float64)
        self._scale[words.forms_of(seldom)] = 1 / SELDOM
        self._special = np.array([encoder.cls, encoder.sep, encoder.pad])

    def __iter__(self) -> Iterator[Batch]:
        while True:
            order = self._random.permutation(len(self.rows))
            chunk = self._size * 32  # sorted by length within it: little padding, and still a random mix
            for start in range(0, len(order), chunk):
                part = sorted(order[start : start + chunk], key=lambda i: len(self.rows[i]))
                batches = [part[i : i + self._size] for i in range(0, len(part), self._size)]
                for index in self._random.permutation(len(batches)):
                    yield self.hide(batches[index])

    def hide(self, indices: Sequence[int]) -> Batch:
        """Make a batch of some rows, hiding about `mask_share` of the words, at least one in each row."""
        ids, attention = pad_rows([self.rows[i] for i in indices], self._encoder.pad)
        open_ = ~np.isin(ids, self._special)  # (batch, tokens)
        word = (
            np.cumsum(~self._words.continues(ids), axis=1) - 1
        )  # (batch, tokens), index of the token's word
        draw = np.take_along_axis(self._random.random(ids.shape), np.maximum(word, 0), axis=1)
        draw *= self._scale[ids]
        draw[~open_] = 2.0 / SELDOM  # never chosen
        for row, i in enumerate(indices):
            if self._focus[i] and self._random.random() < FOCUS_SHARE:
                draw[row, self._focus[i]] = -1.0  # always chosen
        threshold = np.maximum(draw.min(axis=1, keepdims=True), self._share)  # at least one word a row
        chosen = open_ & (draw <= threshold)  # (batch, tokens)
        targets = ids[chosen]  # (masks,)
        fate = self._random.random(len(targets))
        hidden = np.where(fate < 0.8, self._encoder.mask, targets)
        swapped = (fate >= 0.8) & (fate < 0.9)
        hidden[swapped] = self._random.choice(self._words.plain, size=int(swapped.sum()))
        ids[chosen] = hidden
        polarities = np.zeros_like(ids)
        for row, i in enumerate(indices):
            polarities[row, self._focus[i]] = self._polarities[i]
        return _batch(ids, attention, np.flatnonzero(chosen), targets, polarities[chosen])


def _as_tuple(output: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return output if isinstance(output, tuple) else (output,)


def _batch(
    ids: Ints,
    attention: Ints,
    at: Ints,
    targets: Ints | None,
    polarities: Ints | None = None,
) -> Batch:
    is_unpadded = bool(attention.all())
    return Batch(
        torch.from_numpy(ids),
        None if is_unpadded else torch.from_numpy(attention),
        torch.from_numpy(at),
        None if targets is None else torch.from_numpy(targets),
        None if polarities is None else torch.from_numpy(polarities),
    )
