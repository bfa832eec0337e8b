"""Torch model → masks-only ONNX graph.

The graph is written node by node from the weights: no tracing, so exporting takes a second, is the same on
every machine, and uses ONNX Runtime's fused attention, bias + GELU and skip + layer norm from the start.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.model import EncoderShape, MaskedLm

OPSET = 17
FUSED = "com.microsoft"  # ONNX Runtime's own operators


def export(model: MaskedLm, path: Path) -> None:
    """Write `model` as ONNX.

    Inputs: input_ids (batch, tokens) int64; attention_mask (batch, tokens) int32, 1 where there is a token;
    mask_at (masks,) int64, positions in the flattened batch. Output: logits (masks, vocabulary) float32.
    """
    weights = {name: tensor.cpu().numpy() for name, tensor in model.weights().items()}
    graph = _Graph(weights)
    _build(graph, model.shape)
    onnx.save_model(
        helper.make_model(
            graph.finish(),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)],
            ir_version=10,
            producer_name="fillbot",
        ),
        str(path),
    )


class _Graph:
    """Collects nodes and initialisers."""

    def __init__(self, weights: dict[str, np.ndarray[Any, Any]]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Any) -> str:
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def node(
        self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        self.nodes.append(
            helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes)
        )
        return output

    def product(self, value: str, name: str) -> str:
        """Value · Wᵀ, without the bias."""
        weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self.node("MatMul", [value, weight], f"{name}.product")

    def finish(self) -> onnx.GraphProto:
        vocabulary = self.weights["projector.bias"].shape[0]
        return helper.make_graph(
            self.nodes,
            "fill",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"]),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT32, ["batch", "tokens"]),
                helper.make_tensor_value_info("mask_at", TensorProto.INT64, ["masks"]),
            ],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["masks", vocabulary])],
            list(self.initialisers.values()),
        )


def _build(graph: _Graph, shape: EncoderShape) -> None:
    epsilon = shape.layer_norm_eps
    words = graph.node("Gather", [graph.weight("words"), "input_ids"], "word_rows", axis=0)
    length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    begin, axis = (
        graph.constant("zero", np.zeros(1, np.int64)),
        graph.constant("first", np.zeros(1, np.int64)),
    )
    positions = graph.node("Slice", [graph.weight("positions"), begin, length, axis], "position_rows")
    embedded = graph.node("Add", [words, positions], "embedded")  # (batch, tokens, hidden)
    hidden = graph.node(
        "LayerNormalization",
        [embedded, graph.weight("embedding_norm.weight"), graph.weight("embedding_norm.bias")],
        "embedding_norm",
        axis=-1,
        epsilon=epsilon,
    )
    for layer in range(shape.layers):
        hidden = _layer(graph, hidden, layer, shape)
    flat = graph.node("Reshape", [hidden, graph.constant("flat", np.array([-1, shape.hidden_size]))], "rows")
    rows = graph.node("Gather", [flat, "mask_at"], "mask_rows", axis=0)  # (masks, hidden)
    rows = graph.node(
        "BiasGelu",
        [graph.product(rows, "transform"), graph.weight("transform.bias")],
        "transform",
        domain=FUSED,
    )
    rows = graph.node(
        "LayerNormalization",
        [rows, graph.weight("head_norm.weight"), graph.weight("head_norm.bias")],
        "head_norm",
        axis=-1,
        epsilon=epsilon,
    )
    # Gemm takes the tied embedding as it lies, so that the file holds it once.
    tied = np.array_equal(graph.weights["words"], graph.weights["projector.weight"])
    projector = graph.weight("words") if tied else graph.weight("projector.weight")
    graph.node("Gemm", [rows, projector, graph.weight("projector.bias")], "logits", transB=1)


def _layer(graph: _Graph, hidden: str, layer: int, shape: EncoderShape) -> str:
    """One post-norm transformer layer: (batch, tokens, hidden) → the same."""

    def weight(name: str) -> str:
        return graph.weight(f"{layer}.{name}")

    def stacked(part: str) -> str:
        parts = [graph.weights[f"{layer}.{name}.{part}"].T for name in ("q", "k", "v")]
        return graph.constant(f"{layer}.qkv.{part}", np.concatenate(parts, axis=-1))

    attended = graph.node(
        "Attention",
        [hidden, stacked("weight"), stacked("bias"), "attention_mask"],
        f"{layer}.attention",
        domain=FUSED,
        num_heads=shape.heads,
    )
    hidden = graph.node(
        "SkipLayerNormalization",
        [
            graph.product(attended, f"{layer}.o"),
            hidden,
            weight("attention_norm.weight"),
            weight("attention_norm.bias"),
            weight("o.bias"),
        ],
        f"{layer}.attention_norm",
        domain=FUSED,
        epsilon=shape.layer_norm_eps,
    )
    up = graph.node(
        "BiasGelu", [graph.product(hidden, f"{layer}.up"), weight("up.bias")], f"{layer}.up", domain=FUSED
    )
    return graph.node(
        "SkipLayerNormalization",
        [
            graph.product(up, f"{layer}.down"),
            hidden,
            weight("output_norm.weight"),
            weight("output_norm.bias"),
            weight("down.bias"),
        ],
        f"{layer}.output_norm",
        domain=FUSED,
        epsilon=shape.layer_norm_eps,
    )
