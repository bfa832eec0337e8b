"""Padded batches: voted queries as they are, corpus texts with hidden tokens."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from training.inference.encoder import Encoded, Encoder

FOCUS_SHARE = 0.7  # how often the word that a query would ask for is hidden

T = TypeVar("T")
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a forward takes, and the hidden tokens where there are any."""

    input_ids: Tensor  # (batch, tokens) int64
    attention_mask: Tensor | None  # (batch, tokens) int64; None when nothing is padded
    mask_at: Tensor  # (masks,) int64, row · tokens + column
    targets: Tensor | None = None  # (masks,) int64 token ids
    mark: Tensor | None = None  # (masks,) int64, the mark of the text whose focus is hidden here, else 0

    def to(self, device: torch.device) -> "Batch":
        """The same on another device, without waiting for the copy."""

        def move(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        return Batch(
            self.input_ids.to(device, non_blocking=True),
            move(self.attention_mask),
            self.mask_at.to(device, non_blocking=True),
            move(self.targets),
            move(self.mark),
        )

    def forward(self, model: nn.Module, *, micro_batches: int = 1) -> tuple[Tensor, ...]:
        """What a model says of the masks, all of them together however few rows go through it at once.

        With micro-batches, activations are recomputed one micro-batch at a time (activation checkpointing): a
        third more work, the memory of one micro-batch, the same gradients.
        """
        if micro_batches == 1:
            return _tuple(model(self.input_ids, self.attention_mask, self.mask_at))
        said = [
            checkpoint(lambda *piece: _tuple(model(*piece)), *piece, use_reentrant=False)
            for piece in self._split(micro_batches)
        ]
        return tuple(torch.cat(parts) for parts in zip(*said, strict=True))

    def _split(self, micro_batches: int) -> Iterator[tuple[Tensor, Tensor | None, Tensor]]:
        """Rows in order, at most as many groups as there are rows; every row has a mask."""
        count = len(self.input_ids)
        size = -(-count // min(micro_batches, count))
        for start in range(0, count, size):
            yield self.rows(start, start + size)

    def rows(self, start: int, stop: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """Some of the rows, as a forward takes them: token ids, attention mask, masks."""
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
        """Real tokens, padding excluded."""
        return int(self.input_ids.numel() if self.attention_mask is None else self.attention_mask.sum())


def pad_rows(rows: Sequence[Sequence[int]], pad: int) -> tuple[Ints, Ints]:
    """Rows of token ids as (batch, tokens) arrays: ids, and 1 where there is a token."""
    width = max(len(row) for row in rows)
    ids = np.full((len(rows), width), pad, dtype=np.int64)
    attention = np.zeros((len(rows), width), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        attention[i, : len(row)] = 1
    return ids, attention


def query_batch(queries: Sequence[Encoded], pad: int) -> Batch:
    """A batch of queries, every one of their masks a row of the logits, in order."""
    ids, attention = pad_rows([q.ids for q in queries], pad)
    at = [row * ids.shape[1] + column for row, q in enumerate(queries) for column in q.masks]
    return _batch(ids, attention, np.asarray(at, dtype=np.int64), None)


def shuffled_batches(items: Sequence[T], size: int, seed: int) -> Iterator[list[T]]:
    """Batches of at most `size` items for ever, reshuffled each pass.

    Raises:
        ValueError: there are no items.
    """
    order = list(items)
    if not order:
        raise ValueError("there is nothing to draw batches from")
    shuffle = random.Random(seed).shuffle  # noqa: S311
    while True:
        shuffle(order)
        for start in range(0, len(order), size):
            yield order[start : start + size]


class CorpusBatches:
    """Batches of texts with whole words hidden, for ever, reshuffled each pass. Deterministic in the seed.

    Of the chosen tokens 80 % become `[MASK]`, 10 % a random token, 10 % stay (BERT, Devlin et al.
    1810.04805). Texts of similar length share a batch, so that little is padded.
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
        marks: Sequence[int] = (),
    ) -> None:
        """Tokenise the texts once; texts without a word are dropped.

        Args:
            texts: what to learn from.
            encoder: the model's.
            batch_examples: texts a batch.
            mask_share: share of the words that are hidden.
            max_tokens: a text is cut here.
            seed: of order and masks.
            focus: for each text the span of characters that a query would ask for; it is mostly hidden.
            marks: for each text a number that batches give where its focus is hidden; 0 for none.

        Raises:
            ValueError: no text is left.
        """
        self._encoder = encoder
        self._size, self._share = batch_examples, mask_share
        self._random = np.random.default_rng(seed)
        limit = min(max_tokens, encoder.max_tokens)
        self.rows: list[list[int]] = []
        self._focus: list[list[int]] = []  # positions in the row
        self._marks: list[int] = []
        spans, marks = focus or [None] * len(texts), marks or [0] * len(texts)
        for text, span, mark in zip(texts, spans, marks, strict=True):
            if len(row := encoder.encode_text(text, limit)) > 2:
                self.rows.append(row)
                at = encoder.tokens_at(text, span) if span else []
                self._focus.append([position for position in at if position < len(row) - 1])
                self._marks.append(mark)
        if not self.rows:
            raise ValueError("the corpus holds no text")
        self._continues = np.zeros(max(encoder.words) + 1, dtype=bool)
        for word, token in encoder.ids.items():
            self._continues[token] = word.startswith("##")
        self._special = np.array([encoder.cls, encoder.sep, encoder.pad])
        self._plain = np.array(
            sorted(t for w, t in encoder.ids.items() if not w.startswith("[")), dtype=np.int64
        )

    def __iter__(self) -> Iterator[Batch]:
        """Batches without end."""
        while True:
            order = self._random.permutation(len(self.rows))
            chunk = self._size * 32
            for start in range(0, len(order), chunk):
                part = sorted(order[start : start + chunk], key=lambda i: len(self.rows[i]))
                batches = [part[i : i + self._size] for i in range(0, len(part), self._size)]
                for index in self._random.permutation(len(batches)):
                    yield self.hide(batches[index])

    def hide(self, numbers: Sequence[int]) -> Batch:
        """Hide about `mask_share` of the words of some of the rows, at least one of each."""
        ids, attention = pad_rows([self.rows[i] for i in numbers], self._encoder.pad)
        open_ = ~np.isin(ids, self._special)  # (batch, tokens)
        word = np.cumsum(~self._continues[ids], axis=1) - 1  # (batch, tokens) number of the word
        draw = np.take_along_axis(self._random.random(ids.shape), np.maximum(word, 0), axis=1)
        draw[~open_] = 2.0
        for row, i in enumerate(numbers):
            if self._focus[i] and self._random.random() < FOCUS_SHARE:
                draw[row, self._focus[i]] = -1.0
        threshold = np.maximum(draw.min(axis=1, keepdims=True), self._share)  # at least one word a row
        chosen = open_ & (draw <= threshold)
        targets = ids[chosen]
        fate = self._random.random(len(targets))
        hidden = np.where(fate < 0.8, self._encoder.mask, targets)
        swapped = (fate >= 0.8) & (fate < 0.9)
        hidden[swapped] = self._random.choice(self._plain, size=int(swapped.sum()))
        ids[chosen] = hidden
        marks = np.zeros_like(ids)
        for row, i in enumerate(numbers):
            marks[row, self._focus[i]] = self._marks[i]
        return _batch(ids, attention, np.flatnonzero(chosen), targets, marks[chosen])


def _tuple(said: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return said if isinstance(said, tuple) else (said,)


def _batch(
    ids: Ints,
    attention: Ints,
    at: Ints,
    targets: Ints | None,
    marks: Ints | None = None,
) -> Batch:
    whole = bool(attention.all())
    return Batch(
        torch.from_numpy(ids),
        None if whole else torch.from_numpy(attention),
        torch.from_numpy(at),
        None if targets is None else torch.from_numpy(targets),
        None if marks is None else torch.from_numpy(marks),
    )
