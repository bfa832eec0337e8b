"""Text → token ids, shared by serving, training and evaluation. No torch.

A query's text is finished with a period when it ends in none (a model asked "… are very [MASK]" fills in the
missing period), then encoded with every special token but `[MASK]` read as plain text.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from training.errors import QueryTooLongError

MASK = "[MASK]"
MASK_PATTERN = re.compile(r"\[\s*mask\s*\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A query as token ids, with the positions of its masks."""

    ids: tuple[int, ...]
    masks: tuple[int, ...]


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
    """A tokenizer with the rules above; `max_tokens` counts [CLS] and [SEP] too."""

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        self.max_tokens = max_tokens
        self.ids: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        self.words = {token: word for word, token in self.ids.items()}
        self.cls, self.sep, self.mask = (self.ids[token] for token in ("[CLS]", "[SEP]", MASK))
        self.pad = self.ids["[PAD]"]

    def encode(self, text: str) -> Encoded:
        """Token ids and mask positions of a text, finished with a period if it lacks one.

        Raises:
            QueryTooLongError: more word pieces than the model reads.
        """
        pieces = finished(text).split(MASK)
        ids = [self.cls]
        masks = []
        for index, piece in enumerate(pieces):  # one by one: `encode_batch` wakes threads, which takes longer
            if index:
                masks.append(len(ids))
                ids.append(self.mask)
            ids.extend(self._tokenizer.encode(piece, add_special_tokens=False).ids)
        ids.append(self.sep)
        if len(ids) > self.max_tokens:
            raise QueryTooLongError(len(ids), self.max_tokens)
        return Encoded(tuple(ids), tuple(masks))

    def encode_text(self, text: str, max_tokens: int) -> list[int]:
        """Token ids of an unmasked text with [CLS] and [SEP], cut to `max_tokens`."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [self.cls, *ids[: max_tokens - 2], self.sep]

    def tokens_at(self, text: str, span: tuple[int, int]) -> list[int]:
        """Positions in `encode_text`'s ids of the tokens that lie in a span of characters."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [i + 1 for i, (start, stop) in enumerate(offsets) if start < span[1] and stop > span[0]]

    def words_of(self, text: str) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
        """Token ids of an unmasked text, and per whitespace word the positions of its pieces."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        words: list[list[int]] = []
        end = -1
        for position, (start, stop) in enumerate(encoding.offsets):
            if not words or text[end:start].strip() or any(c.isspace() for c in text[end:start]):
                words.append([])
            words[-1].append(position + 1)  # [CLS] comes first
            end = stop
        ids = (self.cls, *encoding.ids[: self.max_tokens - 2], self.sep)
        return ids, [tuple(word) for word in words if word[-1] < len(ids) - 1]


def query_hash(text: str) -> str:
    """128 bits in hex, the same for texts that differ only in case, spaces or a final period."""
    key = " ".join(text.casefold().split()).rstrip(". ")
    return hashlib.sha256(key.encode()).hexdigest()[:32]
