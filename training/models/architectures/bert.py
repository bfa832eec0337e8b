"""BERT, DistilBERT, RoBERTa, XLM-RoBERTa and CamemBERT: one encoder, with other names for its weights."""

from typing import Any

import numpy as np
from torch import Tensor, nn
from transformers.activations import ACT2FN

from training.models.architectures.architecture import MAX_TOKENS, EncoderShape, FusedArchitecture
from training.models.channel_order import HIDDEN, Channels
from training.models.graph import ACTIVATIONS, FUSED, Graph, WeightOps, activated, flat, norm
from training.models.packed import PackedEmbeddings, PackedLayer

# Our name of a module → its path in a layer, and in the model.
_BERT_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "output_norm": "output.LayerNorm",
}
_DISTILBERT_LAYER = {
    "q": "attention.q_lin",
    "k": "attention.k_lin",
    "v": "attention.v_lin",
    "o": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "up": "ffn.lin1",
    "down": "ffn.lin2",
    "output_norm": "output_layer_norm",
}
_BERT_HEAD = {
    "transform": "cls.predictions.transform.dense",
    "head_norm": "cls.predictions.transform.LayerNorm",
    "projector": "cls.predictions.decoder",
}
_DISTILBERT_HEAD = {
    "transform": "vocab_transform",
    "head_norm": "vocab_layer_norm",
    "projector": "vocab_projector",
}
_ROBERTA_HEAD = {
    "transform": "lm_head.dense",
    "head_norm": "lm_head.layer_norm",
    "projector": "lm_head.decoder",
}
# Kind → the paths of a layer and of the head.
_PATHS = {
    "bert": (_BERT_LAYER, _BERT_HEAD),
    "distilbert": (_DISTILBERT_LAYER, _DISTILBERT_HEAD),
    "roberta": (_BERT_LAYER, _ROBERTA_HEAD),
    "xlm-roberta": (_BERT_LAYER, _ROBERTA_HEAD),
    "camembert": (_BERT_LAYER, _ROBERTA_HEAD),
}


class Bert(FusedArchitecture):
    """A post-norm encoder with learnt positions."""

    @classmethod
    def fits(cls, model: Any) -> bool:
        """Whether a transformers model is of this family."""
        kind, is_causal = model.config.model_type, getattr(model.config, "is_decoder", False)
        return kind in _PATHS and not is_causal and _activation(model.config) in ACTIVATIONS

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._kind: str = model.config.model_type
        self._layer_paths, self._head_paths = _PATHS[self._kind]
        self._activation = _activation(model.config)
        is_roberta = self._head_paths is _ROBERTA_HEAD
        # RoBERTa's positions count from the padding's id + 1: the rows before are never used.
        self._first_position: int = model.config.pad_token_id + 1 if is_roberta else 0
        self._head_activation = "gelu" if is_roberta else self._activation

    @property
    def shape(self) -> EncoderShape:
        """The encoder's sizes, whatever the kind."""
        config = self.model.config  # DistilBERT's maps these names to its own
        positions = config.max_position_embeddings - self._first_position
        return EncoderShape(config.hidden_size, min(positions, MAX_TOKENS))

    @property
    def head(self) -> nn.Module:
        """The masked-LM head."""
        model = self.model
        if self._kind == "distilbert":
            return nn.Sequential(
                model.vocab_transform, model.activation, model.vocab_layer_norm, model.vocab_projector
            )
        head: nn.Module = model.cls if self._kind == "bert" else model.lm_head
        return head

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's layers."""
        base = self.model.base_model
        layers: nn.ModuleList = (base.transformer if self._kind == "distilbert" else base.encoder).layer
        return layers

    @property
    def packed_embeddings(self) -> PackedEmbeddings:
        """Words, positions and the first segment."""
        return PackedEmbeddings(self.model.base_model.embeddings, first_position=self._first_position)

    @property
    def packed_layers(self) -> nn.ModuleList:
        """Layers without dropout."""
        heads = self.model.config.num_attention_heads
        return nn.ModuleList(
            PackedLayer(
                {name: layer.get_submodule(path) for name, path in self._layer_paths.items()},
                heads=heads,
                activation=ACT2FN[self._activation],
            )
            for layer in self.layers
        )

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules of the layers, the head and the first layer norm."""
        modules = {"embedding_norm": self.model.base_model.embeddings.LayerNorm}
        modules |= {name: self.model.get_submodule(path) for name, path in self._head_paths.items()}
        for number, layer in enumerate(self.layers):
            for name, path in self._layer_paths.items():
                modules[f"{number}.{name}"] = layer.get_submodule(path)
        return modules

    def weights(self) -> dict[str, Tensor]:
        """Add the tables; queries are one segment, so that its embedding is part of the positions."""
        embeddings = self.model.base_model.embeddings
        positions = embeddings.position_embeddings.weight.detach().float()
        if self._kind != "distilbert":
            positions = positions + embeddings.token_type_embeddings.weight[0].detach()
        tables = {
            "words": embeddings.word_embeddings.weight.detach().float(),
            "positions": positions[self._first_position :],
        }
        return super().weights() | tables

    @property
    def channels(self) -> Channels:
        """Between the layers, and within each feed-forward layer."""
        channels: dict[str, tuple[str | None, ...]] = {
            "words": (None, HIDDEN),
            "positions": (None, HIDDEN),
            "embedding_norm.weight": (HIDDEN,),
            "embedding_norm.bias": (HIDDEN,),
            "transform.weight": (None, HIDDEN),
        }
        for layer in range(self.model.config.num_hidden_layers):
            inner = f"{layer}.inner"
            channels |= {f"{layer}.{name}.weight": (None, HIDDEN) for name in "qkv"}
            channels |= {
                f"{layer}.o.weight": (HIDDEN, None),
                f"{layer}.up.weight": (inner, HIDDEN),
                f"{layer}.up.bias": (inner,),
                f"{layer}.down.weight": (HIDDEN, inner),
            }
            norms = [
                f"{norm}.{part}" for norm in ("attention_norm", "output_norm") for part in ("weight", "bias")
            ]
            channels |= {f"{layer}.{name}": (HIDDEN,) for name in ("o.bias", "down.bias", *norms)}
        return channels

    def build(self, graph: Graph, ops: WeightOps) -> tuple[str, str]:
        """Add embeddings, layers and head."""
        config = self.model.config
        epsilon = getattr(config, "layer_norm_eps", 1e-12)  # DistilBERT's is a constant
        words = ops.look_up(graph, "input_ids")
        length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
        zero = graph.constant("zero", np.zeros(1, np.int64))
        positions = graph.node("Slice", [graph.weight("positions"), zero, length, zero], "position_rows")
        embedded = graph.node("Add", [words, positions], "embedded")  # (batch, tokens, hidden)
        hidden = norm(graph, embedded, "embedding_norm", epsilon)
        for layer in range(config.num_hidden_layers):
            hidden = self._layer(graph, hidden, layer, ops, epsilon)
        states = flat(graph, hidden, config.hidden_size, "states")  # (batch · masks, hidden)
        transformed = ops.multiply(graph, states, "transform", graph.weights["transform.weight"].T, None)
        rows = activated(graph, transformed, "transform.bias", self._head_activation, "transform")
        return states, ops.project(graph, norm(graph, rows, "head_norm", epsilon))

    def _layer(self, graph: Graph, hidden: str, layer: int, ops: WeightOps, epsilon: float) -> str:
        """Add a post-norm transformer layer: (batch, tokens, hidden) → the same shape.

        The last layer returns (batch, masks, hidden).
        """

        def stacked(parts: str, value: str) -> list[str]:
            """Multiply with some of q, k and v in one product, and split the result."""
            weight = np.concatenate([graph.weights[f"{layer}.{part}.weight"].T for part in parts], axis=-1)
            bias = np.concatenate([graph.weights[f"{layer}.{part}.bias"] for part in parts])
            product = ops.multiply(graph, value, f"{layer}.{parts}", weight, bias)
            if len(parts) == 1:
                return [product]
            names = [f"{layer}.{part}.split" for part in parts]
            return graph.nodes("Split", [product], names, axis=-1, num_outputs=len(parts))

        def multiply(value: str, name: str, *, has_bias: bool = True) -> str:
            name = f"{layer}.{name}"
            bias = graph.weights[f"{name}.bias"] if has_bias else None
            return ops.multiply(graph, value, name, graph.weights[f"{name}.weight"].T, bias)

        def added(value: str, skip: str, name: str) -> str:
            total = graph.node("Add", [value, skip], f"{layer}.{name}.sum")
            return norm(graph, total, f"{layer}.{name}", epsilon)

        if layer == self.model.config.num_hidden_layers - 1:
            keys, values = stacked("kv", hidden)
            rows = flat(graph, hidden, self.shape.hidden_size, "all_rows")
            hidden = graph.node("Gather", [rows, "mask_at"], "mask_rows", axis=0)
            (queries,) = stacked("q", hidden)
        else:
            queries, keys, values = stacked("qkv", hidden)
        attended = graph.node(
            "MultiHeadAttention",
            [queries, keys, values, "", "attention_mask"],
            f"{layer}.attention",
            domain=FUSED,
            num_heads=self.model.config.num_attention_heads,
        )
        hidden = added(multiply(attended, "o"), hidden, "attention_norm")
        up = multiply(hidden, "up", has_bias=False)
        up = activated(graph, up, f"{layer}.up.bias", self._activation, f"{layer}.up")
        return added(multiply(up, "down"), hidden, "output_norm")


def _activation(config: Any) -> str:
    activation: str = config.activation if config.model_type == "distilbert" else config.hidden_act
    return activation
