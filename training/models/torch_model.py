"""BERT and DistilBERT as one torch module that computes logits at the masks only.

Both are the same encoder with other names for its weights. This is the only module that knows transformers'
classes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from torch import Tensor, nn

from storage.sentences import Sentence
from training.errors import BaseModelError, DeviceError
from training.inference.encoder import MASK, Encoder
from training.models.out_of_memory import is_out_of_memory
from training.models.output_shift import OutputShift
from training.models.packed import PackedEmbeddings, PackedLayer

OS_ERROR = re.compile(r"\(os error ([0-9]+)\)")  # in messages of Rust libraries
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", MASK)


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """The sizes of an encoder that its exported graph needs."""

    layers: int
    hidden_size: int
    heads: int
    max_tokens: int
    layer_norm_eps: float


class MaskedLm(nn.Module):
    """A BERT or DistilBERT masked language model that scores the vocabulary at the masks only."""

    def __init__(self, model: Any, tokenizer: Tokenizer, *, base: str) -> None:
        """Wrap a transformers model (`…ForMaskedLM`) and its tokenizer.

        Raises:
            BaseModelError: The model is not a BERT or DistilBERT with GELU, or its tokenizer does not fit.
        """
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.shift: OutputShift | None = None  # of a night; exported, but not saved with the weights
        self.kind: str = model.config.model_type
        if self.kind not in ("bert", "distilbert"):
            reason = Sentence(
                "it is of kind {kind!r}, and only bert and distilbert are known", kind=self.kind
            )
            raise BaseModelError(base, reason)
        activation = model.config.activation if self.kind == "distilbert" else model.config.hidden_act
        if activation != "gelu":
            reason = Sentence(
                "its activation is {activation!r}, and only gelu is known", activation=activation
            )
            raise BaseModelError(base, reason)
        if missing := [token for token in SPECIAL_TOKENS if tokenizer.token_to_id(token) is None]:
            raise BaseModelError(base, Sentence("its tokenizer lacks {tokens}", tokens=missing))
        if tokenizer.get_vocab_size(with_added_tokens=True) > model.config.vocab_size:
            raise BaseModelError(base, Sentence("its tokenizer knows more tokens than its weights"))

    @property
    def shape(self) -> EncoderShape:
        """The encoder's sizes, whatever the kind."""
        config = self.model.config  # DistilBERT's maps these names to its own
        return EncoderShape(
            layers=config.num_hidden_layers,
            hidden_size=config.hidden_size,
            heads=config.num_attention_heads,
            max_tokens=config.max_position_embeddings,
            layer_norm_eps=getattr(config, "layer_norm_eps", 1e-12),
        )

    @property
    def encoder(self) -> Encoder:
        """An encoder with the current tokenizer; a new one each time, since words may be added."""
        return Encoder(self.tokenizer, max_tokens=self.shape.max_tokens)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Tensor:
        """Compute the logits at the masks.

        Args:
            input_ids: (batch, tokens) int64.
            attention_mask: (batch, tokens) int64, 1 where there is a token; None when nothing is padded.
            mask_at: (masks,) int64, positions in the flattened batch: row · tokens + column.

        Returns:
            (masks, vocabulary) float32 logits (the autocast type inside autocast).
        """
        states = self.states(input_ids, attention_mask, mask_at)
        logits: Tensor = self.head(states)  # (masks, vocabulary)
        return logits if self.shift is None else self.shift.apply(logits, self.shift.slots(states))

    def states(self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Tensor:
        """(masks, hidden) states of the encoder at the masks; arguments as for `forward`."""
        hidden = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        states: Tensor = hidden.flatten(0, 1)[mask_at]  # (batch, tokens, hidden) → (masks, hidden)
        return states

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's layers, which map (batch, tokens, hidden) and a mask to the same shape."""
        base = self.model.base_model
        layers: nn.ModuleList = (base.transformer if self.kind == "distilbert" else base.encoder).layer
        return layers

    @property
    def packed_embeddings(self) -> PackedEmbeddings:
        """The embeddings for packed batches, with the weights of this model."""
        return PackedEmbeddings(self.model.base_model.embeddings)

    @property
    def packed_layers(self) -> nn.ModuleList:
        """The layers for packed batches, with the weights of this model."""
        paths, heads = _LAYERS[self.kind], self.shape.heads
        return nn.ModuleList(
            PackedLayer({name: layer.get_submodule(path) for name, path in paths.items()}, heads=heads)
            for layer in self.layers
        )

    @property
    def head(self) -> nn.Module:
        """The masked-LM head: (masks, hidden) → (masks, vocabulary)."""
        if self.kind == "bert":
            head: nn.Module = self.model.cls
            return head
        model = self.model
        return nn.Sequential(model.vocab_transform, nn.GELU(), model.vocab_layer_norm, model.vocab_projector)

    def weights(self) -> dict[str, Tensor]:
        """Return the parameters under the same names for either kind; those of layer i begin with `{i}.`."""
        weights = {
            f"{name}.{part}": tensor.detach().float()
            for name, module in self._modules_by_name().items()
            for part, tensor in module.named_parameters()
        }
        embeddings = self.model.base_model.embeddings
        weights["words"] = embeddings.word_embeddings.weight.detach().float()
        weights["positions"] = embeddings.position_embeddings.weight.detach().float()
        if self.kind == "bert":  # queries are one segment, so the token type is a constant
            weights["positions"] = weights["positions"] + embeddings.token_type_embeddings.weight[0].detach()
        return weights

    def linear_layers(self) -> dict[str, nn.Linear]:
        """Return the linear layers, under the names of `weights`."""
        modules = self._modules_by_name()
        return {name: module for name, module in modules.items() if isinstance(module, nn.Linear)}

    def _modules_by_name(self) -> dict[str, nn.Module]:
        """Return the modules with weight and bias: of the layers, the head and the first layer norm."""
        modules = {"embedding_norm": self.model.base_model.embeddings.LayerNorm}
        modules |= {name: self.model.get_submodule(path) for name, path in _HEADS[self.kind].items()}
        for number, layer in enumerate(self.layers):
            for name, path in _LAYERS[self.kind].items():
                modules[f"{number}.{name}"] = layer.get_submodule(path)
        return modules

    def add_words(self, words: Sequence[str]) -> None:
        """Add words that the tokenizer splits into pieces as whole tokens.

        The embedding of a word (and the projection, which is tied to it) and its bias start as the mean over
        its pieces, so that it is about as likely as they were.
        """
        pieces = [e.ids for e in self.tokenizer.encode_batch(list(words), add_special_tokens=False)]
        self.tokenizer = Tokenizer.from_str(self.tokenizer.to_str())
        self.tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in words])
        size = max(self.model.config.vocab_size, self.tokenizer.get_vocab_size(with_added_tokens=True))
        self.model.resize_token_embeddings(size, mean_resizing=False)
        tables = (self.model.get_input_embeddings().weight, self.model.get_output_embeddings().bias)
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

        tokenizer = Tokenizer.from_str(self.tokenizer.to_str())
        tokenizer.no_padding()
        tokenizer.no_truncation()
        fast_tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=tokenizer,
            pad_token="[PAD]",  # noqa: S106
            unk_token="[UNK]",  # noqa: S106
            cls_token="[CLS]",  # noqa: S106
            sep_token="[SEP]",  # noqa: S106
            mask_token=MASK,
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


# Our name of a module → its path in a layer, and in the model.
_LAYERS = {
    "distilbert": {
        "q": "attention.q_lin",
        "k": "attention.k_lin",
        "v": "attention.v_lin",
        "o": "attention.out_lin",
        "attention_norm": "sa_layer_norm",
        "up": "ffn.lin1",
        "down": "ffn.lin2",
        "output_norm": "output_layer_norm",
    },
    "bert": {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "o": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "output_norm": "output.LayerNorm",
    },
}
_HEADS = {
    "distilbert": {
        "transform": "vocab_transform",
        "head_norm": "vocab_layer_norm",
        "projector": "vocab_projector",
    },
    "bert": {
        "transform": "cls.predictions.transform.dense",
        "head_norm": "cls.predictions.transform.LayerNorm",
        "projector": "cls.predictions.decoder",
    },
}


def load(folder: Path, *, base: str | None = None) -> MaskedLm:
    """Load a masked LM and its tokenizer from a folder, in fp32, on the CPU.

    Raises:
        BaseModelError: The folder does not contain a model that can be loaded without running its own code.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the run shows its own
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
    return MaskedLm(model, tokenizer.backend_tokenizer, base=base)


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
