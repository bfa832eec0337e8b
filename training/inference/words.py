"""What the tokens of a tokenizer are: special ones, pieces of words, and forms of whole words. No torch.

WordPiece marks pieces that continue a word (`##able`); byte-level BPE and SentencePiece mark the space before
a token (`Ġdurable`, `▁durable`). A word may have several forms: `Ġdurable`, `ĠDurable` and `Durable` are one
word to voters. The form with the usual spelling stands for the word: its canonical token.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Tokenizer, models

SPACE = "▁"  # SentencePiece's mark
MAINLY = 2  # times as early in the vocabulary, which is about as often in the texts that it was made from
EXCLUDED = -1e4  # log-probability of tokens that cannot be an answer; finite, so that differences are, too

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Slot(IntEnum):
    """What comes before a mask, which decides the forms that fit: bits of a form's `fits`."""

    FIRST = 1  # nothing
    SPACED = 2
    JOINED = 4  # an apostrophe, a bracket or another sign without a space


NONE, AFTER_SPACE, WITHOUT_SPACE, ANY = 0, Slot.FIRST | Slot.SPACED, Slot.FIRST | Slot.JOINED, sum(Slot)


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The special tokens of a tokenizer, by default BERT's. `unk` is None if it can encode any text."""

    cls: str = "[CLS]"
    sep: str = "[SEP]"
    pad: str = "[PAD]"
    unk: str | None = "[UNK]"
    mask: str = "[MASK]"

    @classmethod
    def of(cls, tokenizer: Any) -> Self:
        """Ask a tokenizer of transformers; a token that it lacks is an empty string."""
        return cls(
            cls=tokenizer.cls_token or tokenizer.bos_token or "",
            sep=tokenizer.sep_token or tokenizer.eos_token or "",
            pad=tokenizer.pad_token or "",
            unk=tokenizer.unk_token,
            mask=tokenizer.mask_token or "",
        )

    @property
    def names(self) -> list[str]:
        """The tokens, as a vocabulary usually begins."""
        return [token for token in (self.pad, self.unk, self.cls, self.sep, self.mask) if token is not None]

    def to_json(self) -> dict[str, str | None]:
        """Convert to JSON for `vocabulary.json`."""
        return asdict(self)

    def for_transformers(self, tokenizer: Tokenizer) -> dict[str, AddedToken | str]:
        """Return the arguments of a tokenizer of transformers, which say what becomes of spaces, too."""
        added = {one.content: one for one in tokenizer.get_added_tokens_decoder().values()}
        named = {role: token for role, token in asdict(self).items() if token is not None}
        return {f"{role}_token": added.get(token, token) for role, token in named.items()}

    def missing_from(self, tokenizer: Tokenizer) -> list[str]:
        """Return the tokens that a tokenizer lacks, or their roles if they have no name."""
        named = {role: token for role, token in asdict(self).items() if token is not None}
        return [token or role for role, token in named.items() if tokenizer.token_to_id(token) is None]


BERT_TOKENS = SpecialTokens()


class Marks:
    """How the vocabulary of a tokenizer writes spaces and continued words, which its parts tell."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Ask the parts of a tokenizer."""
        parts = [_state(each) for each in (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder)]
        is_word_piece = isinstance(tokenizer.model, models.WordPiece)
        self.continued: str = tokenizer.model.continuing_subword_prefix if is_word_piece else ""
        self._bytes = {}
        self.space = ""
        if not is_word_piece:
            if any("ByteLevel" in part for part in parts):
                self._bytes = _byte_letters()
                self.space = next(letter for letter, byte in self._bytes.items() if byte == ord(" "))
            elif any(SPACE in part for part in parts):
                self.space = SPACE
        first = tokenizer.encode("a", add_special_tokens=False).tokens[:1]
        self.begins_with_space = bool(self.space) and first[0].startswith(self.space)

    def read(self, token: str) -> tuple[str, int]:
        """Return the text of a token without a space before it, and the slots in which it begins a word."""
        if not self.space:
            is_continued = bool(self.continued) and token.startswith(self.continued)
            return (token.removeprefix(self.continued), NONE) if is_continued else (token, ANY)
        text = token.removeprefix(self.space)
        fits = WITHOUT_SPACE if len(text) == len(token) else AFTER_SPACE
        if self._bytes and not text.isascii():
            try:
                text = bytes(self._bytes[letter] for letter in text).decode()
            except (KeyError, UnicodeDecodeError):  # a part of a character
                text = ""
        return text, fits

    def added(self, word: str, tokenizer: Tokenizer) -> AddedToken:
        """Make the token for a whole word that is found with and without a space before it."""
        normalizer = tokenizer.normalizer
        keeps_spaces = normalizer is None or normalizer.normalize_str("a b") == "a b"
        return AddedToken(word, single_word=True, lstrip=bool(self.space), normalized=keeps_spaces)

    def without_space(self, tokenizer: Tokenizer) -> Tokenizer:
        """Return a tokenizer that puts no space before a text; it shares the memory of the vocabulary."""
        state = _state(tokenizer.pre_tokenizer).replace('"add_prefix_space":true', '"add_prefix_space":false')
        for scheme in ("always", "first"):
            state = state.replace(f'"prepend_scheme":"{scheme}"', '"prepend_scheme":"never"')
        parts = json.loads(Tokenizer(models.WordLevel()).to_str()) | {"pre_tokenizer": json.loads(state)}
        found = Tokenizer(tokenizer.model)
        found.pre_tokenizer = Tokenizer.from_str(json.dumps(parts)).pre_tokenizer
        if tokenizer.normalizer is not None:
            found.normalizer = tokenizer.normalizer
        return found


@dataclass(frozen=True, slots=True)
class Fold:
    """How the columns of forms become one column a word, for one kind of slot.

    Attributes:
        members: the forms that fit, word by word.
        places: for each of them the index of its word in `words`, ascending.
        words: the canonical tokens of these words.
        others: tokens of words that are left: other forms, and canonical tokens of which no form fits.
    """

    members: Ints
    places: Ints
    words: Ints
    others: Ints

    def apply(self, rows: Floats) -> None:
        """Add the probabilities of the forms, in place. rows: (masks, vocabulary) log-probabilities."""
        starts = np.flatnonzero(np.diff(self.places, prepend=-1))
        folded = np.logaddexp.reduceat(rows[:, self.members], starts, axis=1) if len(starts) else None
        rows[:, self.others] = EXCLUDED
        if folded is not None:
            rows[:, self.words] = folded


class Words:
    """The tokens of a tokenizer, by the words that people would read in them."""

    def __init__(self, tokenizer: Tokenizer, special: SpecialTokens = BERT_TOKENS) -> None:
        """Read the vocabulary: about 0.1 s for 50,000 tokens."""
        self.special, self.marks = special, Marks(tokenizer)
        self.ids: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        self.tokens = {token: name for name, token in self.ids.items()}
        self.size = max(self.tokens) + 1
        self.cls, self.sep, self.pad, self.mask = (
            self.ids[name] for name in (special.cls, special.sep, special.pad, special.mask)
        )
        self.unk = None if special.unk is None else self.ids.get(special.unk)
        added = tokenizer.get_added_tokens_decoder()
        self._special = {token for token, one in added.items() if one.special}
        self._texts, self._fits = self._read(added)
        self._word_tokens: dict[str, int] = {}  # word in lower case → its canonical token
        self._many: dict[int, list[int]] = {}  # canonical token → its forms, if there are several
        self._canonical = np.full(self.size, -1, dtype=np.int32)
        self._group()

    def _read(self, added: Mapping[int, AddedToken]) -> tuple[dict[int, str], npt.NDArray[np.uint8]]:
        """Return the text of each token, and (vocabulary,) the slots in which it begins a word."""
        texts, fits = {}, np.full(self.size, ANY, dtype=np.uint8)
        for token, name in self.tokens.items():
            texts[token], fits[token] = self.marks.read(name)
        for token, one in added.items():
            texts[token], fits[token] = one.content, NONE if one.special else ANY
        return texts, fits

    def _group(self) -> None:
        """Find the forms of each word."""
        fits = self._fits.tolist()  # of numbers: quicker to read one by one
        for token, text in self._texts.items():
            if not fits[token] or not text[:1].isalnum():
                continue
            lower = text.lower()
            first = self._word_tokens.setdefault(text if text == lower else lower, token)
            if first != token:
                self._many.setdefault(first, [first]).append(token)
        if self.marks.space:  # a token that never follows a space is a piece of other words
            self._word_tokens = {
                word: first
                for word, first in self._word_tokens.items()
                if any(fits[form] & Slot.SPACED for form in self._many.get(first, [first]))
            }
        found, self._many = self._many, {}
        for word, first in self._word_tokens.items():
            if (forms := found.get(first)) is None:
                self._canonical[first] = first
                continue
            forms = self._usual_first(word, forms)
            self._word_tokens[word] = forms[0]
            self._many[forms[0]] = forms
            self._canonical[forms] = forms[0]

    def _usual_first(self, word: str, forms: list[int]) -> list[int]:
        spaced = sorted(form for form in forms if self._fits[form] & Slot.SPACED)
        usual = next((form for form in spaced if self._texts[form] == word), spaced[0])
        if spaced[0] * MAINLY < usual:
            usual = spaced[0]
        return [usual, *sorted(form for form in forms if form != usual)]

    def usual(self) -> Iterator[tuple[str, int]]:
        """Yield the usual spelling of each word, and its canonical token."""
        return ((self._texts[token], token) for token in self._word_tokens.values())

    def text(self, token: int) -> str:
        """Return what a token adds to a text, without the space before it."""
        return self._texts[token]

    def token(self, word: str) -> int | None:
        """Return the canonical token of a word in any case; None if it is not one token."""
        return self._word_tokens.get(word.lower())

    def canonical(self, token: int) -> int | None:
        """Return the canonical token of the word that a token is a form of; None if it is no word."""
        found = int(self._canonical[token]) if 0 <= token < self.size else -1
        return None if found < 0 else found

    def forms_of(self, words: Iterable[str]) -> list[int]:
        """Return all forms of those words that are one token, ascending."""
        known = {token for word in words if (token := self.token(word)) is not None}
        return sorted(form for token in known for form in self.forms(token))

    def forms(self, token: int) -> list[int]:
        """Return all forms of a word, given its canonical token."""
        return self._many.get(token, [token])

    def form(self, token: int, slot: Slot) -> int:
        """Return the usual form in a slot of a word, given its canonical token, which it is if none fits."""
        if (forms := self._many.get(token)) is None:
            return token
        usual = self.text(token)
        if slot is Slot.FIRST:
            usual = usual[:1].upper() + usual[1:]
        odd = WITHOUT_SPACE if self.marks.begins_with_space else AFTER_SPACE

        def strangeness(form: int) -> tuple[bool, bool, int]:
            return slot is Slot.FIRST and self._fits[form] == odd, self._texts[form] != usual, form

        return min((form for form in forms if self._fits[form] & slot), key=strangeness, default=token)

    @cached_property
    def folds(self) -> Mapping[Slot, Fold] | None:
        """The folds by slot; None if every word has one form, which fits anywhere."""
        if not self.marks.space and not self._many:
            return None
        return {slot: self._fold(slot) for slot in Slot}

    def _fold(self, slot: Slot) -> Fold:
        columns: tuple[list[int], ...] = ([], [], [], [])
        members, places, words, others = columns
        fits = (self._fits & slot).tolist()
        for forms in map(self.forms, self._word_tokens.values()):
            fitting = [form for form in forms if fits[form]]
            if fitting != forms[:1]:
                others += forms
                if fitting:
                    places += [len(words)] * len(fitting)
                    words.append(forms[0])
                    members += fitting
        return Fold(*(np.array(column, dtype=np.int64) for column in columns))

    def continues(self, ids: Ints) -> Bools:
        """Return which tokens continue the word of the token before. ids: (batch, tokens)."""
        begins, glues, ends = self._glue
        if not self.marks.space:
            return ~begins[ids]
        before = np.zeros(ids.shape, dtype=bool)
        before[:, 1:] = ends[ids[:, :-1]]
        return glues[ids] & before

    @cached_property
    def _glue(self) -> tuple[Bools, Bools, Bools]:
        """(vocabulary,) flags: begins a word anywhere, goes on after a letter, and ends with a letter."""
        begins, glues, ends = (np.zeros(self.size, dtype=bool) for _ in range(3))
        for token, text in self._texts.items():
            fits = self._fits[token]
            is_special = token in self._special
            begins[token] = is_special or fits == ANY
            if not is_special:
                glues[token] = fits != AFTER_SPACE and (not text or text[0].isalnum())
                ends[token] = not text or text[-1].isalnum()
        return begins, glues, ends

    @cached_property
    def plain(self) -> Ints:
        """Tokens that may stand in a text: neither special nor reserved, ascending."""
        opening = "<" if self.marks.space else "["
        return np.array(
            sorted(t for name, t in self.ids.items() if t not in self._special and name[:1] != opening),
            dtype=np.int64,
        )


def _state(part: Any) -> str:
    """The JSON of a part of a tokenizer."""
    return "null" if part is None else part.__getstate__().decode()


def _byte_letters() -> dict[str, int]:
    """Letter → byte, as byte-level vocabularies write them (`bytes_to_unicode` of GPT-2)."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters = {chr(byte): byte for byte in shown}
    hidden = (byte for byte in range(256) if byte not in set(shown))
    return letters | {chr(256 + number): byte for number, byte in enumerate(hidden)}
