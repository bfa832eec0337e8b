"""A masked language model as a torch module that computes logits at the masks only."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from storage.sentences import Sentence
from training.errors import BaseModelError, DeviceError
from training.inference.encoder import Encoder
from training.inference.words import BERT_TOKENS, Marks, SpecialTokens
from training.models.architectures.architecture import EncoderShape
from training.models.architectures.families import architecture_of
from training.models.out_of_memory import is_out_of_memory
from training.models.output_shift import OutputShift

OS_ERROR = re.compile(r"\(os error ([0-9]+)\)")  # in messages of Rust libraries


class MaskedLm(nn.Module):
    """A masked language model of any family that scores the vocabulary at the masks only."""

    def __init__(
        self, model: Any, tokenizer: Tokenizer, *, base: str, special_tokens: SpecialTokens = BERT_TOKENS
    ) -> None:
        """Wrap a transformers model (`…ForMaskedLM`) and its tokenizer.

        Raises:
            BaseModelError: The model is of no known family, or its tokenizer does not fit.
        """
        super().__init__()
        self.model = model
        self.tokenizer, self.special_tokens = tokenizer, special_tokens
        self._encoder: Encoder | None = None
        self.shift: OutputShift | None = None  # of a night; exported, but not saved with the weights
        self.kind: str = model.config.model_type
        self.architecture = architecture_of(model, base=base)
        if missing := special_tokens.missing_from(tokenizer):
            raise BaseModelError(base, Sentence("its tokenizer lacks {tokens}", tokens=missing))
        if tokenizer.get_vocab_size(with_added_tokens=True) > model.config.vocab_size:
            raise BaseModelError(base, Sentence("its tokenizer knows more tokens than its weights"))

    @property
    def shape(self) -> EncoderShape:
        """The encoder's sizes, whatever the kind."""
        return self.architecture.shape

    @property
    def encoder(self) -> Encoder:
        """An encoder with the current tokenizer, to which `add_words` adds words."""
        if self._encoder is None:
            tokenizer, special = self.tokenizer, self.special_tokens
            self._encoder = Encoder(tokenizer, max_tokens=self.shape.max_tokens, special=special)
        return self._encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Tensor:
        """Compute the logits at the masks.

        Args:
            input_ids: (batch, tokens) int64.
            attention_mask: (batch, tokens) int64, 1 where there is a token; None when nothing is padded.
            mask_at: (masks,) int64, positions in the flattened batch: row · tokens + column.

        Returns:
            (masks, vocabulary) float32 logits (the autocast type inside autocast).
        """
        states, logits = self.architecture.states_and_logits(input_ids, attention_mask, mask_at)
        return logits if self.shift is None else self.shift.apply(logits, self.shift.slots(states))

    def states(self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Tensor:
        """(masks, hidden) states of the encoder at the masks; arguments as for `forward`."""
        return self.architecture.states(input_ids, attention_mask, mask_at)

    def add_words(self, words: Sequence[str]) -> None:
        """Add words that the tokenizer splits into pieces as whole tokens.

        The embedding of a word, its row of the projection (which may be tied to it) and its bias start as the
        mean over its pieces, so that it is about as likely as they were.
        """
        marks, pieces = Marks(self.tokenizer), self.encoder.pieces_of(words)
        self.tokenizer = Tokenizer.from_str(self.tokenizer.to_str())
        self.tokenizer.add_tokens([marks.added(word, self.tokenizer) for word in words])
        self._encoder = None
        size = max(self.model.config.vocab_size, self.tokenizer.get_vocab_size(with_added_tokens=True))
        self.model.resize_token_embeddings(size, mean_resizing=False)
        output = self.model.get_output_embeddings()
        tables = {self.model.get_input_embeddings().weight, output.weight, output.bias} - {None}
        with torch.no_grad():
            for word, ids in zip(words, pieces, strict=True):
                for table in tables:
                    table[self.tokenizer.token_to_id(word)] = table[ids].mean(dim=0)

    def save(self, folder: Path) -> None:
        """Write config, weights (safetensors) and tokenizer in transformers' format.

        Raises:
            OSError: The folder cannot be written.
        """
        from transformers import PreTrainedTokenizerFast

        _hide_progress_bars()
        tokenizer = Tokenizer.from_str(self.tokenizer.to_str())
        tokenizer.no_padding()
        tokenizer.no_truncation()
        fast_tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=tokenizer,
            **self.special_tokens.for_transformers(tokenizer),
            model_max_length=self.shape.max_tokens,
        )
        try:
            self.model.save_pretrained(folder, safe_serialization=True)
            fast_tokenizer.save_pretrained(folder)
        except Exception as error:
            # safetensors and tokenizers raise their own errors for a full disk: "… (os error 28)".
            if isinstance(error, OSError) or (number := OS_ERROR.search(str(error))) is None:
                raise
            raise OSError(int(number[1]), str(error), str(folder)) from error


def load(folder: Path, *, base: str | None = None) -> MaskedLm:
    """Load a masked LM and its tokenizer from a folder, in fp32, on the CPU.

    Raises:
        BaseModelError: The folder does not contain a model that can be loaded without running its own code.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    _hide_progress_bars()
    base = base or str(folder)
    if not any(folder.glob("*.safetensors")):
        reason = Sentence("there is no .safetensors file (pickled weights are not read)")
        raise BaseModelError(base, reason)
    try:
        model, loading = AutoModelForMaskedLM.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # damaged files make transformers raise almost anything
        if is_out_of_memory(error):
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BaseModelError(base, lines[0]) from error
    if missing := sorted(loading["missing_keys"]):  # transformers would initialise them randomly
        reason = Sentence("its weights lack {weights}: is it a masked language model?", weights=missing[:3])
        raise BaseModelError(base, reason)
    if not getattr(tokenizer, "is_fast", False):
        raise BaseModelError(base, Sentence("its tokenizer is not one of the tokenizers library"))
    special_tokens = SpecialTokens.of(tokenizer)
    return MaskedLm(model, tokenizer.backend_tokenizer, base=base, special_tokens=special_tokens)


def _hide_progress_bars() -> None:
    """Let transformers show none: the run shows its own."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def interpolate_weights(start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Interpolate linearly from `start` (share 0) to `end` (share 1)."""
    if share == 1.0:
        return end
    return {
        name: value + share * (end[name] - value) if value.is_floating_point() else end[name]
        for name, value in start.items()
    }


def pick_device(wanted: str) -> torch.device:
    """`auto`, `cpu` or `cuda` → a device.

    Raises:
        DeviceError: CUDA was requested but is unavailable.
    """
    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise DeviceError(wanted)
    return torch.device("cuda" if has_cuda and wanted != "cpu" else "cpu")
