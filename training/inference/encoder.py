"""Text → token ids, shared by serving, training and evaluation. No torch.

A query's text is finished with a period when it ends in none (a model asked "… are very [MASK]" fills in the
missing period), then encoded with every special token but `[MASK]` read as plain text. `[MASK]` is how
people write a mask, whatever the model's own token for it is. The ids are those of a sentence with a word of
one token in its place.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tokenizers import Encoding, Tokenizer, models

from training.errors import QueryTooLongError
from training.inference.words import BERT_TOKENS, Slot, SpecialTokens, Words

MASK = "[MASK]"  # as people write it
MASK_PATTERN = re.compile(r"\[\s*mask\s*\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A query as token ids, with the positions of its masks and what comes before each.

    Without `slots` the masks hide tokens rather than words, and the forms of a word are not folded.
    """

    ids: tuple[int, ...]
    masks: tuple[int, ...]
    slots: tuple[Slot, ...] = ()


def finished(text: str) -> str:
    """Normalize a text: masks as `[MASK]`, single spaces, and a final period unless it is terminated."""
    text = " ".join(MASK_PATTERN.sub(MASK, text).split())
    core = text if text.endswith(MASK) else text.rstrip("\"'”’)]» ")
    return text if core and core[-1] in ".!?…:;。！？" else f"{text}."


def completed(text: str, words: Sequence[str]) -> str:
    """Replace masks by words in order; further masks stay. A word at the beginning is capitalized."""
    parts = text.split(MASK)
    filled = parts[0]
    for index, part in enumerate(parts[1:]):
        word = words[index] if index < len(words) else MASK
        if not filled.strip() and word != MASK:
            word = word[:1].upper() + word[1:]
        filled += word + part
    return filled


class Encoder:
    """A tokenizer with the rules above; `max_tokens` counts the special tokens at both ends too."""

    def __init__(
        self, tokenizer: Tokenizer, *, max_tokens: int, special: SpecialTokens = BERT_TOKENS
    ) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        self.max_tokens = max_tokens
        self.words = Words(self._tokenizer, special)
        # A Unigram model finds them in its vocabulary even if they are to be plain text.
        self._always_special = special.names if isinstance(self._tokenizer.model, models.Unigram) else ()
        self.cls, self.sep = self.words.cls, self.words.sep
        self.pad, self.mask = self.words.pad, self.words.mask

    def encode(self, text: str) -> Encoded:
        """Token ids and mask positions of a text, finished with a period if it lacks one.

        Raises:
            QueryTooLongError: more word pieces than the model reads.
        """
        pieces = finished(text).split(MASK)
        ids = [self.cls]
        masks, slots = [], []
        for index, piece in enumerate(pieces):  # one by one: `encode_batch` wakes threads, which takes longer
            if index:
                before = pieces[index - 1]
                is_first = index == 1 and not before
                slots.append(Slot.FIRST if is_first else Slot.SPACED if before[-1:] == " " else Slot.JOINED)
                masks.append(len(ids))
                ids.append(self.mask)
            ids.extend(self._piece_ids(piece, after_mask=index > 0))
        ids.append(self.sep)
        if len(ids) > self.max_tokens:
            raise QueryTooLongError(len(ids), self.max_tokens)
        return Encoded(tuple(ids), tuple(masks), tuple(slots))

    def _piece_ids(self, piece: str, *, after_mask: bool) -> list[int]:
        """Token ids of the text next to masks. A space before a mask belongs to the word under the mask."""
        marks = self.words.marks
        if not marks.space:
            return self._ids(piece)
        piece = piece.rstrip(" ")
        if not (after_mask and marks.begins_with_space):
            return self._ids(piece)
        joined, _, rest = piece.partition(" ")  # a space before each of both would be added
        return [
            *(self._without_space.encode(joined, add_special_tokens=False).ids if joined else ()),
            *(self._ids(rest) if rest else ()),
        ]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._encoding(text).ids
        return ids

    def _encoding(self, text: str) -> Encoding:
        for name in self._always_special:
            text = text.replace(name, f"{name[:-1]} ")  # as long, so that offsets hold
        return self._tokenizer.encode(text, add_special_tokens=False)

    @cached_property
    def _without_space(self) -> Tokenizer:
        return self.words.marks.without_space(self._tokenizer)

    def pieces_of(self, words: Sequence[str]) -> list[list[int]]:
        """Token ids of each word, as after a space."""
        space = " " if self.words.marks.space and not self.words.marks.begins_with_space else ""
        encoded = self._tokenizer.encode_batch([space + word for word in words], add_special_tokens=False)
        return [each.ids for each in encoded]

    @property
    def is_cased(self) -> bool:
        """Whether upper and lower case are different tokens."""
        return self._ids("A") != self._ids("a")

    def encode_text(self, text: str, max_tokens: int) -> list[int]:
        """Token ids of an unmasked text with the special tokens at both ends, cut to `max_tokens`."""
        return [self.cls, *self._ids(text)[: max_tokens - 2], self.sep]

    def tokens_at(self, text: str, span: tuple[int, int]) -> list[int]:
        """Positions in `encode_text`'s ids of the tokens that lie in a span of characters."""
        offsets = self._encoding(text).offsets
        return [i + 1 for i, (start, stop) in enumerate(offsets) if start < span[1] and stop > span[0]]

    def words_of(self, text: str) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
        """Token ids of an unmasked text, and per whitespace word the positions of its pieces."""
        encoding = self._encoding(text)
        words: list[list[int]] = []
        end = -1
        for position, (start, stop) in enumerate(encoding.offsets):
            while start < stop and text[start].isspace():  # the space that belongs to some tokens
                start += 1
            if not words or text[end:start].strip() or any(c.isspace() for c in text[end:start]):
                words.append([])
            words[-1].append(position + 1)  # a special token comes first
            end = stop
        ids = (self.cls, *encoding.ids[: self.max_tokens - 2], self.sep)
        return ids, [tuple(word) for word in words if word[-1] < len(ids) - 1]


def query_hash(text: str) -> str:
    """128 bits in hex, the same for texts that differ only in case, spaces or a final period."""
    key = " ".join(text.casefold().split()).rstrip(". ")
    return hashlib.sha256(key.encode()).hexdigest()[:32]
