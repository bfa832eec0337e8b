"""An exported model version: one ONNX Runtime session and its tokenizer. No torch."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Tokenizer

from storage.sentences import Sentence
from training.errors import CorruptVersionError, RegistryUnreadableError
from training.inference.encoder import Encoded, Encoder
from training.inference.words import Slot, SpecialTokens, Words
from training.registry.models_folder import MISSING, readable

GRAPH, OUTPUT = "model.onnx", "log_probabilities"
OLDER_OUTLIERS = 1 / 12  # of int8 graphs from before `vocabulary.json` said it
NO_MEMORY = ("bad_alloc", "Failed to allocate memory")  # in messages of ONNX Runtime
MAX_BATCH_TOKENS = 256  # padded tokens a forward: more no longer fit the processor's caches
MAX_BATCH_MASKS = 128  # rows of vocabulary-wide logits a forward: 128 × 30,522 × 4 bytes = 15 MB
BLOCK = 64  # scores, of which only the largest is looked at first

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One word for one mask: its token id, and its probability in [0, 1]."""

    word: str
    token: int
    score: float


class FillModel:
    """A model version ready to answer. Not thread-safe: one thread must own it."""

    def __init__(
        self, folder: Path, *, version: str | None = None, graph: str = GRAPH, threads: int = 0
    ) -> None:
        """Load `model.onnx`, `tokenizer.json` and `vocabulary.json` from a folder.

        Args:
            folder: a version's folder, finished or not.
            version: its name; the folder's name when None.
            graph: the ONNX file.
            threads: for one forward pass; 0: one per core.

        Raises:
            CorruptVersionError: a file is missing or damaged.
            RegistryUnreadableError: a file cannot be read at present.
            MemoryError: there is not enough memory.
        """
        self.version = version or folder.name
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # it keeps what a large batch or a reload once needed
        # Threads spin between the nodes of a forward pass, which are too short to sleep in between, but not
        # after it: an idle model would otherwise occupy a core permanently.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            with readable(folder, missing=MISSING):
                vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
                tokens = (folder / "tokenizer.json").read_text(encoding="utf-8")
                (folder / graph).open("rb").close()  # the errors of ONNX Runtime do not say why
            self.precision = str(vocabulary["precision"])
            self.agreement: dict[str, Any] | None = vocabulary.get("agreement")  # of int8 with fp32
            self.quantization: dict[str, Any] | None = vocabulary.get("quantization")  # None: fp32, or older
            tokenizer = Tokenizer.from_str(tokens)
            special = SpecialTokens(**vocabulary.get("special_tokens", {}))  # older versions: BERT's
            self.encoder = Encoder(tokenizer, max_tokens=int(vocabulary["max_tokens"]), special=special)
            self.offered = _offered(vocabulary["offered"], self.encoder.words)  # (offered,) ids, ascending
            self._session = ort.InferenceSession(
                str(folder / graph),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["SkipLayerNormFusion"],  # slower than what it fuses, see `graph.norm`
            )
        except (MemoryError, RegistryUnreadableError):
            raise
        except Exception as error:  # libraries raise many types for damaged files
            if any(sign in str(error) for sign in NO_MEMORY):
                raise MemoryError(str(error)) from error
            reason = Sentence("it cannot be loaded ({error})", error=str(error))
            raise CorruptVersionError(self.version, reason) from error
        if [value.name for value in self._session.get_outputs()] != [OUTPUT]:
            raise CorruptVersionError(
                self.version, Sentence("its model.onnx was written by another release of fillbot")
            )
        # Graphs that are not written by hand were traced by torch.
        self.has_fast_path = bool(self._session.get_modelmeta().producer_name == "fillbot")
        self._recorded = self.offered  # by the version, whatever is denied now
        self._is_offered = self._offered_flags()

    @property
    def outlier_share(self) -> float | None:
        """Share of the input channels that an int8 graph multiplies in fp32; None if the graph is in fp32."""
        if self.precision != "int8":
            return None
        return float((self.quantization or {}).get("outlier_share", OLDER_OUTLIERS))

    def deny(self, words: Iterable[str]) -> None:
        """Offer none of these words from the next answer on, in any case, nor those that the version denies.

        Replaces the words of an earlier call.
        """
        self.offer(self.offered_without(words))

    def offered_without(self, words: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return what `offer` takes to deny words; changes nothing, so that another thread may compute it."""
        refused = {word.lower() for word in words}
        kept = [token for token in self._recorded.tolist() if self.word_of(token).lower() not in refused]
        # A model that offers nothing could not answer at all.
        return np.asarray(kept, dtype=np.int64) if kept else self.offered

    def offer(self, tokens: npt.NDArray[np.int64]) -> None:
        """Offer only these tokens from the next answer on; another thread may be answering meanwhile."""
        self.offered = tokens
        self._is_offered = self._offered_flags()

    def _offered_flags(self) -> npt.NDArray[np.bool_]:
        flags = np.zeros(self.encoder.words.size, dtype=bool)
        flags[self.offered] = True
        return flags

    def token_of(self, word: str) -> int | None:
        """Return the canonical token of a word in any case, if it is one token and may be offered."""
        token = self.encoder.words.token(word)
        return token if token is not None and self._is_offered[token] else None

    def tokens_of(self, words: Iterable[str]) -> list[int]:
        """Return the tokens of those words that have one."""
        return [token for word in words if (token := self.token_of(word)) is not None]

    def word_of(self, token: int) -> str:
        """Return the word of a token, in its usual spelling."""
        return self.encoder.words.text(token)

    def log_probabilities(self, encoded: Sequence[Encoded]) -> list[Floats]:
        """Natural-log probabilities at the masks: one (masks, vocabulary) array a query.

        The column of a word's canonical token has the sum over all forms of the word that fit the slot.
        """
        rows: list[Floats] = [np.empty((0, 0), dtype=np.float32)] * len(encoded)
        for batch in self._batches(encoded):
            logs = self._forward([encoded[i] for i in batch])  # (batch, masks, vocabulary)
            for row, i in enumerate(batch):
                rows[i] = logs[row, : len(encoded[i].masks)]
                self._fold(rows[i], encoded[i].slots)
        return rows

    def _fold(self, logs: Floats, slots: Sequence[Slot]) -> None:
        """Fold the forms of words, in place. logs: (masks, vocabulary)."""
        if (folds := self.encoder.words.folds) is not None:
            for mask, slot in enumerate(slots):
                folds[slot].apply(logs[mask : mask + 1])

    def _forward(self, queries: Sequence[Encoded]) -> Floats:
        """(batch, masks, vocabulary), as many masks as the query with the most of them has."""
        width, masks = max(len(q.ids) for q in queries), max(len(q.masks) for q in queries)
        ids = np.full((len(queries), width), self.encoder.pad, dtype=np.int64)
        attention = np.zeros((len(queries), width), dtype=np.int32)
        at = np.zeros((len(queries), masks), dtype=np.int64)
        for row, query in enumerate(queries):
            ids[row, : len(query.ids)] = query.ids
            attention[row, : len(query.ids)] = 1
            at[row, : len(query.masks)] = query.masks
        at += np.arange(len(queries))[:, None] * width
        feed = {"input_ids": ids, "attention_mask": attention, "mask_at": at}
        logs: Floats = self._session.run([OUTPUT], feed)[0]
        return logs.reshape(len(queries), masks, -1)

    def fill(self, queries: Sequence[str], *, top: int) -> list[list[list[Candidate]]]:
        """Return the `top` best words for each mask of each query, best first. Masks are independent.

        Raises:
            QueryTooLongError: a query has more word pieces than the model reads.
        """
        rows = self.log_probabilities([self.encoder.encode(query) for query in queries])
        return [[self.candidates(row, top) for row in masks] for masks in rows]

    def candidates(self, row: Floats, top: int) -> list[Candidate]:
        """Return the `top` best words of a mask, best first, from its (vocabulary,) log-probabilities."""
        return [Candidate(self.word_of(t), t, float(np.exp(row[t]))) for t in self.best(row, top)]

    def best(self, row: Floats, top: int) -> list[int]:
        """Return the `top` likeliest tokens that may be offered, best first; ties go to the lower id."""
        offered = self.offered  # `offer` may replace it meanwhile
        scores = row[offered]
        top = min(top, len(scores))
        # Each of the `top` blocks with the largest maxima has a score that is at least the least of these.
        # Sorting the few scores above it takes a tenth of the time of a partition of all.
        blocks = scores[: len(scores) // BLOCK * BLOCK].reshape(-1, BLOCK).max(axis=1)
        least = np.partition(blocks, -top)[-top] if 0 < top <= len(blocks) else -np.inf
        likely = np.flatnonzero(scores >= least)
        order = likely[np.lexsort((likely, -scores[likely]))][:top]
        return [int(token) for token in offered[order]]

    def _batches(self, encoded: Sequence[Encoded]) -> list[list[int]]:
        """Return indices in batches of similar size, each within the token and the mask budget."""
        batches: list[list[int]] = []
        width = masks = 0
        order = sorted(range(len(encoded)), key=lambda i: (len(encoded[i].masks), len(encoded[i].ids)))
        for i in order:
            if not encoded[i].masks:
                continue
            width, masks = max(width, len(encoded[i].ids)), len(encoded[i].masks)
            rows = len(batches[-1]) + 1 if batches else 1
            if not batches or rows * width > MAX_BATCH_TOKENS or rows * masks > MAX_BATCH_MASKS:
                batches.append([])
                width = len(encoded[i].ids)
            batches[-1].append(i)
        return batches


def _offered(tokens: Sequence[int], words: Words) -> npt.NDArray[np.int64]:
    """Ids of the tokens that may be offered, ascending; one for each word.

    Raises:
        ValueError: the list is empty, or has tokens that the tokenizer does not know.
    """
    canonical = [words.canonical(int(token)) for token in tokens]
    offered = {token for token in canonical if token is not None}
    if not offered or None in canonical:
        raise ValueError("vocabulary.json does not fit the tokenizer")
    return np.array(sorted(offered), dtype=np.int64)
