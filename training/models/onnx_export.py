"""Torch model → masks-only ONNX graph.

The graph is built node by node from the weights instead of by tracing: the export takes a second, is
identical on every machine, and uses ONNX Runtime's fused attention, bias + GELU and skip + layer norm. The
last layer is computed for the masks only, since it needs just the keys and values of the other tokens.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.models.output_shift import STEEPNESS, THRESHOLD, OutputShift
from training.models.torch_model import EncoderShape, MaskedLm

OPSET = 18
FUSED = "com.microsoft"  # domain of ONNX Runtime's own operators

Floats = npt.NDArray[np.float32]


class WeightOps(Protocol):
    """The operations of the graph with weights, in fp32 or in int8 (`training.models.quantization`)."""

    def multiply(self, graph: "Graph", value: str, name: str, weight: Floats, bias: Floats | None) -> str:
        """Add nodes for value · weight + bias, and return the name of their output.

        Args:
            graph: The graph to extend.
            value: Name of the input, (…, in).
            name: Name of the product; `qkv` and `kv` stand for several linear layers at once.
            weight: (in, out).
            bias: (out,), or None.
        """

    def look_up(self, graph: "Graph", ids: str) -> str:
        """Add the word embeddings: (batch, tokens) → (batch, tokens, hidden) float32."""

    def project(self, graph: "Graph", value: str) -> str:
        """Add the vocabulary projection with its bias: (masks, hidden) → (masks, vocabulary)."""


def export(model: MaskedLm, path: Path, *, ops: WeightOps | None = None) -> None:
    """Write a model as an ONNX file.

    Inputs: input_ids (batch, tokens) int64; attention_mask (batch, tokens) int32, 1 where there is a token;
    mask_at (batch, masks) int64, positions in the flattened batch: row · tokens + column. Output:
    log_probabilities (batch · masks, vocabulary) float32, natural logarithms.

    Args:
        model: The model to export.
        path: The file to write.
        ops: The operations with weights; fp32 if None.
    """
    graph = Graph({name: tensor.cpu().numpy() for name, tensor in model.weights().items()})
    _build(graph, model.shape, ops or Fp32Ops(), model.shift)
    onnx.save_model(
        helper.make_model(
            graph.finish(),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)],
            ir_version=10,
            producer_name="fillbot",
        ),
        str(path),
    )


class Graph:
    """Collects nodes and initialisers; `weights` are those of `MaskedLm.weights`."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Any) -> str:
        """Add an initialiser, once per name."""
        if name not in self._initialisers:
            self._initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        """Add one of the weights unchanged."""
        return self.constant(name, self.weights[name])

    def node(
        self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output."""
        return self.nodes(operator, inputs, [output], domain=domain, **attributes)[0]

    def nodes(
        self, operator: str, inputs: list[str], outputs: list[str], *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs."""
        self._nodes.append(
            helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        )
        return outputs

    def finish(self) -> onnx.GraphProto:
        """Return the graph with its inputs and its output."""
        vocabulary = self.weights["projector.bias"].shape[0]
        return helper.make_graph(
            self._nodes,
            "fill",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"]),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT32, ["batch", "tokens"]),
                helper.make_tensor_value_info("mask_at", TensorProto.INT64, ["batch", "masks"]),
            ],
            [helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, ["rows", vocabulary])],
            list(self._initialisers.values()),
        )


class Fp32Ops:
    """`WeightOps` in fp32."""

    def multiply(self, graph: Graph, value: str, name: str, weight: Floats, bias: Floats | None) -> str:
        """Add a product, and a sum if there is a bias."""
        product = graph.node("MatMul", [value, graph.constant(f"{name}.weight.T", weight)], f"{name}.product")
        if bias is None:
            return product
        return graph.node("Add", [product, graph.constant(f"{name}.bias", bias)], f"{name}.sum")

    def look_up(self, graph: Graph, ids: str) -> str:
        """Look up rows of the table."""
        return graph.node("Gather", [graph.weight("words"), ids], "word_rows", axis=0)

    def project(self, graph: Graph, value: str) -> str:
        """Use Gemm, which takes the tied embedding untransposed, so that the file contains it once."""
        tied = np.array_equal(graph.weights["words"], graph.weights["projector.weight"])
        projector = graph.weight("words" if tied else "projector.weight")
        return graph.node("Gemm", [value, projector, graph.weight("projector.bias")], "logits", transB=1)


def _build(graph: Graph, shape: EncoderShape, ops: WeightOps, shift: OutputShift | None) -> None:
    epsilon = shape.layer_norm_eps
    words = ops.look_up(graph, "input_ids")
    length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    zero = graph.constant("zero", np.zeros(1, np.int64))
    positions = graph.node("Slice", [graph.weight("positions"), zero, length, zero], "position_rows")
    embedded = graph.node("Add", [words, positions], "embedded")  # (batch, tokens, hidden)
    hidden = _norm(graph, embedded, "embedding_norm", epsilon)
    for layer in range(shape.layers):
        hidden = _layer(graph, hidden, layer, shape, ops)
    states = _flat(graph, hidden, shape, "states")  # (batch · masks, hidden)
    transformed = ops.multiply(graph, states, "transform", graph.weights["transform.weight"].T, None)
    rows = graph.node("BiasGelu", [transformed, graph.weight("transform.bias")], "transform", domain=FUSED)
    logits = ops.project(graph, _norm(graph, rows, "head_norm", epsilon))
    if shift is not None:
        logits = _shifted(graph, logits, states, shift)
    graph.node("LogSoftmax", [logits], "log_probabilities", axis=-1)


def _shifted(graph: Graph, logits: str, states: str, shift: OutputShift) -> str:
    """Add `OutputShift.apply`: (rows, vocabulary) → the same shape."""

    def constant(name: str, value: Any) -> str:
        return graph.constant(f"shift.{name}", value)

    def node(operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        return graph.node(operator, inputs, f"shift.{name}", **attributes)

    def log_sum(value: str, name: str) -> str:
        return node("ReduceLogSumExp", [value, constant("last", np.array([-1]))], name, keepdims=1)

    weight = constant("slot.weight", shift.slot_weight.numpy()[:, None])
    bias = constant("slot.bias", shift.slot_bias.numpy()[None])
    slot = node("Sigmoid", [node("Gemm", [states, weight, bias], "slot_odds")], "slot")  # (rows, 1)
    good, bad = (
        node("Gather", [logits, constant(name, ids.numpy())], f"{name}_logits", axis=-1)
        for name, ids in (("good", shift.good), ("bad", shift.bad))
    )
    of_good = log_sum(good, "of_good")
    odds = node("Sub", [of_good, log_sum(bad, "of_bad")], "odds")
    above = node("Sub", [odds, constant("threshold", np.float32(THRESHOLD))], "above")
    steep = node("Mul", [above, constant("steepness", np.float32(STEEPNESS))], "steep")
    praise, other = (
        node("Sigmoid", [steep], "praise"),
        node("Sigmoid", [node("Neg", [steep], "flat")], "other"),
    )
    moves = node("Mul", [slot, constant("good_shifts", shift.shifts[shift.good].numpy())], "moves")
    gained = node("Sub", [of_good, log_sum(node("Add", [good, moves], "moved"), "of_moved")], "lost")
    amounts = [slot, node("Mul", [gained, other], "kept"), node("Mul", [slot, praise], "of_others")]
    amount = node("Concat", amounts, "amounts", axis=-1)  # (rows, 3)
    return node("Gemm", [amount, constant("directions", shift.directions.numpy()), logits], "logits")


def _layer(graph: Graph, hidden: str, layer: int, shape: EncoderShape, ops: WeightOps) -> str:
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

    def multiply(value: str, name: str) -> str:
        name = f"{layer}.{name}"
        return ops.multiply(graph, value, name, graph.weights[f"{name}.weight"].T, None)

    def added(value: str, skip: str, norm: str, linear: str) -> str:
        parameters = [
            graph.weight(f"{layer}.{p}") for p in (f"{norm}.weight", f"{norm}.bias", f"{linear}.bias")
        ]
        return graph.node(
            "SkipLayerNormalization",
            [value, skip, *parameters],
            f"{layer}.{norm}",
            domain=FUSED,
            epsilon=shape.layer_norm_eps,
        )

    if layer == shape.layers - 1:
        keys, values = stacked("kv", hidden)
        rows = _flat(graph, hidden, shape, "all_rows")
        hidden = graph.node("Gather", [rows, "mask_at"], "mask_rows", axis=0)
        (queries,) = stacked("q", hidden)
    else:
        queries, keys, values = stacked("qkv", hidden)
    attended = graph.node(
        "MultiHeadAttention",
        [queries, keys, values, "", "attention_mask"],
        f"{layer}.attention",
        domain=FUSED,
        num_heads=shape.heads,
    )
    hidden = added(multiply(attended, "o"), hidden, "attention_norm", "o")
    inputs = [multiply(hidden, "up"), graph.weight(f"{layer}.up.bias")]
    up = graph.node("BiasGelu", inputs, f"{layer}.up", domain=FUSED)
    return added(multiply(up, "down"), hidden, "output_norm", "down")


def _flat(graph: Graph, value: str, shape: EncoderShape, name: str) -> str:
    """(…, …, hidden) → (rows, hidden)."""
    return graph.node("Reshape", [value, graph.constant("flat", np.array([-1, shape.hidden_size]))], name)


def _norm(graph: Graph, value: str, name: str, epsilon: float) -> str:
    scale, bias = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.node("LayerNormalization", [value, scale, bias], name, axis=-1, epsilon=epsilon)
