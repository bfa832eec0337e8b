"""ModernBERT, Ettin and mmBERT: pre-norm, rotary positions, gated layers, local attention."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from training.models.architectures.architecture import MAX_TOKENS, EncoderShape, FusedArchitecture
from training.models.channel_order import HIDDEN, Channels
from training.models.graph import ACTIVATIONS, FUSED, Graph, WeightOps, activated, flat, norm
from training.models.packed import Packing, attend

LOCAL = "sliding_attention"  # of the types of layers
# Our name of a module → its path in a layer, and in the model.
_LAYER = {
    "attention_norm": "attn_norm",
    "qkv": "attn.Wqkv",
    "o": "attn.Wo",
    "feed_forward_norm": "mlp_norm",
    "up": "mlp.Wi",
    "down": "mlp.Wo",
}
_MODEL = {
    "embedding_norm": "model.embeddings.norm",
    "final_norm": "model.final_norm",
    "transform": "head.dense",
    "head_norm": "head.norm",
    "projector": "decoder",
}


class ModernBert(FusedArchitecture):
    """A pre-norm encoder with rotary positions."""

    @classmethod
    def fits(cls, model: Any) -> bool:
        """Whether a transformers model is of this family."""
        config = model.config
        if config.model_type != "modernbert":
            return False
        kinds = {config.hidden_activation, config.classifier_activation}
        rotations = {each["rope_type"] for each in config.rope_parameters.values() if each}
        return kinds <= ACTIVATIONS.keys() and rotations == {"default"}

    @property
    def shape(self) -> EncoderShape:
        """The encoder's sizes."""
        config = self.model.config
        return EncoderShape(config.hidden_size, min(config.max_position_embeddings, MAX_TOKENS))

    @property
    def head(self) -> nn.Module:
        """The masked-LM head."""
        return nn.Sequential(self.model.head, self.model.decoder)

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's layers."""
        layers: nn.ModuleList = self.model.model.layers
        return layers

    @property
    def packed_embeddings(self) -> nn.Module:
        """Words without positions."""
        return _PackedEmbeddings(self.model.model.embeddings)

    @property
    def packed_layers(self) -> nn.ModuleList:
        """Layers without dropout; the last one ends with the final norm."""
        last = len(self.layers) - 1
        return nn.ModuleList(
            _PackedLayer(
                layer,
                self.model.model.rotary_emb,
                self.model.model.final_norm if number == last else nn.Identity(),
                window=self._window(number),
            )
            for number, layer in enumerate(self.layers)
        )

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules of the layers, the head, and the norms before and after the layers."""
        modules = {name: self.model.get_submodule(path) for name, path in _MODEL.items()}
        for number, layer in enumerate(self.layers):
            for name, path in _LAYER.items():
                modules[f"{number}.{name}"] = layer.get_submodule(path)
        return modules

    def weights(self) -> dict[str, Tensor]:
        """Add the table of words."""
        words = self.model.model.embeddings.tok_embeddings.weight
        return super().weights() | {"words": words.detach().float()}

    def _window(self, layer: int) -> int | None:
        """How far a layer's tokens see to either side; None if they see all tokens of a query."""
        config = self.model.config
        half = config.local_attention // 2
        is_local = config.layer_types[layer] == LOCAL and half < self.shape.max_tokens - 1
        return half if is_local else None

    @property
    def channels(self) -> Channels:
        """Between the layers, and within each gated layer."""
        channels: dict[str, tuple[str | None, ...]] = {"words": (None, HIDDEN)}
        norms = ["embedding_norm", "final_norm"]
        for layer in range(len(self.layers)):
            inner = f"{layer}.inner"
            norms += [f"{layer}.attention_norm", f"{layer}.feed_forward_norm"]
            channels |= {
                f"{layer}.qkv.weight": (None, HIDDEN),
                f"{layer}.o.weight": (HIDDEN, None),
                f"{layer}.o.bias": (HIDDEN,),
                f"{layer}.up.weight": (inner, HIDDEN),
                f"{layer}.up.bias": (inner,),
                f"{layer}.down.weight": (HIDDEN, inner),
                f"{layer}.down.bias": (HIDDEN,),
            }
        channels |= {f"{name}.{part}": (HIDDEN,) for name in norms for part in ("weight", "bias")}
        return channels | {"transform.weight": (None, HIDDEN)}

    def build(self, graph: Graph, ops: WeightOps) -> tuple[str, str]:
        """Add embeddings, layers and head."""
        config = self.model.config
        hidden = norm(graph, ops.look_up(graph, "input_ids"), "embedding_norm", config.norm_eps)
        layers = _GraphLayers(self, graph, ops)
        normed = hidden  # the first layer has no norm of its own
        for layer in range(len(self.layers)):
            normed, hidden = layers.add(layer, normed, hidden)
        states = flat(graph, normed, config.hidden_size, "states")  # (batch · masks, hidden)
        weight = graph.weights["transform.weight"].T
        transformed = ops.multiply(graph, states, "transform", weight, None)
        rows = activated(graph, transformed, "transform.bias", config.classifier_activation, "transform")
        return states, ops.project(graph, norm(graph, rows, "head_norm", config.norm_eps))


class _GraphLayers:
    """Adds the layers to a graph."""

    def __init__(self, architecture: ModernBert, graph: Graph, ops: WeightOps) -> None:
        self._architecture, self._graph, self._ops = architecture, graph, ops
        self._config = architecture.model.config
        self._last = len(architecture.layers) - 1

    def add(self, layer: int, normed: str, hidden: str) -> tuple[str, str]:
        """Add a layer: its normed input and the sum of all layers before → the same of the next layer.

        The sum is what the layers add to: (batch, tokens, hidden). The last layer returns (batch, masks,
        hidden).
        """
        if layer < self._last:
            queries, keys, values = self._projected(layer, "qkv", normed)
            rows, next_norm = "", f"{layer + 1}.attention_norm"
        else:
            keys, values = self._projected(layer, "kv", normed)
            normed, hidden = self._at_masks(normed, "normed"), self._at_masks(hidden, "hidden")
            (queries,) = self._projected(layer, "q", normed)
            rows, next_norm = self._columns(), "final_norm"
        attended = self._graph.node(
            "MultiHeadAttention",
            [
                self._rotated(layer, queries, "q", rows),
                self._rotated(layer, keys, "k", ""),
                values,
                "",
                "attention_mask",
                *self._bias(layer, rows),
            ],
            f"{layer}.attention",
            domain=FUSED,
            num_heads=self._config.num_attention_heads,
        )
        added = self._multiply(layer, "o", attended)
        normed, hidden = self._added(added, hidden, f"{layer}.feed_forward_norm")
        up = self._multiply(layer, "up", normed)
        names = [f"{layer}.up.input", f"{layer}.up.gate"]
        inputs, gate = self._graph.nodes("Split", [up], names, axis=-1, num_outputs=2)
        inputs = activated(self._graph, inputs, "", self._config.hidden_activation, f"{layer}.up.activated")
        gated = self._graph.node("Mul", [inputs, gate], f"{layer}.up.gated")
        return self._added(self._multiply(layer, "down", gated), hidden, next_norm)

    def _multiply(self, layer: int, name: str, value: str) -> str:
        weights, name = self._graph.weights, f"{layer}.{name}"
        bias = weights.get(f"{name}.bias")
        return self._ops.multiply(self._graph, value, name, weights[f"{name}.weight"].T, bias)

    def _projected(self, layer: int, parts: str, value: str) -> list[str]:
        """Multiply with some of q, k and v in one product, and split the result."""
        weights, size = self._graph.weights, self._config.hidden_size
        kept = np.concatenate([np.arange(size) + "qkv".index(part) * size for part in parts])
        bias = weights.get(f"{layer}.qkv.bias")
        product = self._ops.multiply(
            self._graph,
            value,
            f"{layer}.{parts}",
            weights[f"{layer}.qkv.weight"].T[:, kept],
            None if bias is None else bias[kept],
        )
        if len(parts) == 1:
            return [product]
        names = [f"{layer}.{part}.split" for part in parts]
        return self._graph.nodes("Split", [product], names, axis=-1, num_outputs=len(parts))

    def _added(self, value: str, skip: str, name: str) -> tuple[str, str]:
        """Add to the sum of the layers, and norm it: returns the normed sum, and the sum."""
        total = self._graph.node("Add", [value, skip], f"{name}.total")
        return norm(self._graph, total, name, self._config.norm_eps), total

    def _at_masks(self, value: str, name: str) -> str:
        """(batch, tokens, hidden) → (batch, masks, hidden)."""
        rows = flat(self._graph, value, self._config.hidden_size, f"{name}.rows")
        return self._graph.node("Gather", [rows, "mask_at"], f"{name}.at_masks", axis=0)

    def _length(self) -> str:
        """(1,) the number of tokens, with padding."""
        return self._graph.node("Shape", ["input_ids"], "length", start=1, end=2)

    def _columns(self) -> str:
        """(batch, masks) positions of the masks in their queries."""
        return self._graph.node("Mod", ["mask_at", self._length()], "columns")

    def _rotated(self, layer: int, value: str, name: str, rows: str) -> str:
        """Rotate queries or keys by their positions: those in `rows`, or else 0, 1, 2 and so on."""
        graph, kind = self._graph, self._config.layer_types[layer]
        rotary = self._architecture.model.model.rotary_emb
        angles = np.outer(np.arange(self._architecture.shape.max_tokens), _frequencies(rotary, kind))
        start = rows or graph.constant("first_position", np.zeros(1, np.int64))
        tables = [
            graph.constant(f"{kind}.{part.__name__}", part(angles).astype(np.float32))
            for part in (np.cos, np.sin)
        ]
        inputs = [value, start, *tables]
        return graph.node("RotaryEmbedding", inputs, f"{layer}.{name}.rotated", domain=FUSED)

    def _bias(self, layer: int, rows: str) -> list[str]:
        """(1 or batch, 1, tokens or masks, tokens) that hides far tokens from the layer, if it is local."""
        window, graph = self._architecture._window(layer), self._graph
        if window is None:
            return []
        name = "bias.at_masks" if rows else "bias"
        if name in graph.outputs:
            return [name]

        def constant(name: str, value: Any) -> str:
            return graph.constant(f"bias.{name}", value)

        zero, one = constant("zero", np.int64(0)), constant("one", np.int64(1))
        length = graph.node("Squeeze", [self._length()], f"{name}.length")
        columns = graph.node("Range", [zero, length, one], f"{name}.columns")  # (tokens,)
        axes = constant("axes_of_masks", np.array([1, 3])) if rows else constant("axes", np.array([0, 1, 3]))
        from_ = graph.node("Unsqueeze", [rows or columns, axes], f"{name}.from")  # (…, 1, rows, 1)
        apart = graph.node("Sub", [from_, columns], f"{name}.apart")  # (…, 1, rows, tokens)
        distance = graph.node("Abs", [apart], f"{name}.distance")
        is_far = graph.node("Greater", [distance, constant("window", np.int64(window))], f"{name}.is_far")
        values = [constant("far", np.float32(-1e9)), constant("near", np.float32(0))]
        return [graph.node("Where", [is_far, *values], name)]


def _frequencies(rotary: Any, kind: str) -> Any:
    """(head size / 2,) float64 angles by which neighbours differ."""
    return getattr(rotary, f"{kind}_inv_freq").double().cpu().numpy()


class _PackedEmbeddings(nn.Module):
    def __init__(self, embeddings: Any) -> None:
        super().__init__()
        self.words, self.norm = embeddings.tok_embeddings, embeddings.norm

    def forward(self, input_ids: Tensor, packing: Packing) -> Tensor:
        """(batch, tokens) ids → (packed, hidden)."""
        normed: Tensor = self.norm(self.words(input_ids.flatten()[packing.tokens]))
        return normed


class _PackedLayer(nn.Module):
    """A pre-norm layer with the weights of transformers'."""

    def __init__(self, layer: Any, rotary: Any, end: nn.Module, *, window: int | None) -> None:
        super().__init__()
        self._layer, self._rotary, self._end, self._window = layer, rotary, end, window
        config = layer.config
        self._heads, self._kind = config.num_attention_heads, layer.attention_type
        self._activation = ACT2FN[config.hidden_activation]

    def forward(self, hidden: Tensor, packing: Packing, *, at_masks: bool = False) -> Tensor:
        """(packed, hidden) → the same shape, or (masks, hidden) where only the masks are needed."""
        layer = self._layer
        queries, keys, values = layer.attn.Wqkv(layer.attn_norm(hidden)).chunk(3, dim=-1)
        cos, sin = self._rotary(hidden, packing.columns[None], self._kind)  # (1, packed, head size) each
        queries, keys = (self._rotated(each, cos[0], sin[0]) for each in (queries, keys))
        attended = attend(queries, keys, values, packing, heads=self._heads, window=self._window)
        if at_masks:
            attended, hidden = attended[packing.mask_at], hidden[packing.mask_at]
        hidden = hidden + layer.attn.Wo(attended)
        inputs, gate = layer.mlp.Wi(layer.mlp_norm(hidden)).chunk(2, dim=-1)
        hidden = hidden + layer.mlp.Wo(self._activation(inputs) * gate)
        ended: Tensor = self._end(hidden)
        return ended

    def _rotated(self, value: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotate (packed, hidden) by (packed, head size); float32 as transformers does it."""
        by_head = value.float().view(len(value), self._heads, -1)  # (packed, heads, head size)
        low, high = by_head.chunk(2, dim=-1)
        turned = torch.cat([-high, low], dim=-1)
        rotated = by_head * cos[:, None] + turned * sin[:, None]
        return torch.flatten(rotated, -2).to(value.dtype)
