"""Parts of hand-written ONNX graphs: collected nodes, products in fp32, and the output shift."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.models.channel_order import Channels, Order
from training.models.output_shift import STEEPNESS, THRESHOLD, OutputShift

OPSET = 18
FUSED = "com.microsoft"  # domain of ONNX Runtime's own operators
PRODUCER = "fillbot"  # a graph of another one was traced, and runs without the fast path

# Activation in transformers → operator of the graph, and its attributes.
ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "gelu": ("Gelu", {}),
    "gelu_new": ("FastGelu", {}),
    "gelu_fast": ("FastGelu", {}),
    "gelu_pytorch_tanh": ("FastGelu", {}),
    "relu": ("Relu", {}),
    "silu": ("QuickGelu", {"alpha": 1.0}),
    "swish": ("QuickGelu", {"alpha": 1.0}),
}

Floats = npt.NDArray[np.float32]


class WeightOps(Protocol):
    """The operations of the graph with weights, in fp32 or in int8 (`training.models.quantization`).

    Attributes:
        orders: the orders in which the weights' channels must be (`training.models.channel_order`).
    """

    @property
    def orders(self) -> Mapping[str, Order]: ...  # noqa: D102  see above

    def arranged(self, channels: Channels) -> "WeightOps":
        """Return the operations for a model whose channels may have any order."""

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


class Graph:
    """Collects nodes and initialisers; `weights` are those of `FusedArchitecture.weights`."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.weights = weights
        self.added: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.outputs: set[str] = set()

    def constant(self, name: str, value: Any) -> str:
        """Add an initialiser, once per name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        """Add one of the weights unchanged."""
        return self.constant(name, self.weights[name])

    def optional_weight(self, name: str) -> str:
        """Add one of the weights; an omitted input, which is an empty name, if the model lacks it."""
        return self.weight(name) if name in self.weights else ""

    def node(
        self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output."""
        return self.nodes(operator, inputs, [output], domain=domain, **attributes)[0]

    def nodes(
        self, operator: str, inputs: list[str], outputs: list[str], *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs, and return their names.

        A name that is taken gets a number: layers may share their weights, and so the names of products.
        """
        while not self.outputs.isdisjoint(outputs):
            outputs = [output and f"{output}.{len(self.added)}" for output in outputs]
        self.outputs.update(filter(None, outputs))  # an empty name is an output that is left out
        self.added.append(
            helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        )
        return outputs

    def finish(self) -> onnx.ModelProto:
        """Return the model with its inputs and its output; see `onnx_export.export`."""
        vocabulary = self.weights["projector.weight"].shape[0]
        graph = helper.make_graph(
            self.added,
            "fill",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"]),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT32, ["batch", "tokens"]),
                helper.make_tensor_value_info("mask_at", TensorProto.INT64, ["batch", "masks"]),
            ],
            [helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, ["rows", vocabulary])],
            list(self.constants.values()),
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)],
            ir_version=10,
            producer_name=PRODUCER,
        )


class Fp32Ops:
    """`WeightOps` in fp32."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}

    def arranged(self, channels: Channels) -> "Fp32Ops":
        """Leave all channels where they are."""
        return self

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
        inputs = [value, projector, *filter(None, [graph.optional_weight("projector.bias")])]
        return graph.node("Gemm", inputs, "logits", transB=1)


def shifted(graph: Graph, logits: str, states: str, shift: OutputShift) -> str:
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


def flat(graph: Graph, value: str, hidden_size: int, name: str) -> str:
    """Add (…, …, hidden) → (rows, hidden)."""
    return graph.node("Reshape", [value, graph.constant("flat", np.array([-1, hidden_size]))], name)


def norm(graph: Graph, value: str, name: str, epsilon: float) -> str:
    """Add a layer norm, with or without bias.

    After a sum it is faster than ONNX Runtime's `SkipLayerNormalization`, which does not use vectors: 95 µs
    instead of 470 for 242 rows of 768, 20 instead of 31 for 11 rows.
    """
    parameters = [graph.weight(f"{name}.weight"), graph.optional_weight(f"{name}.bias")]
    inputs = [value, *filter(None, parameters)]
    return graph.node("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)


def activated(graph: Graph, value: str, bias: str, activation: str, name: str) -> str:
    """Add activation(value + bias), for the activations in `ACTIVATIONS`.

    Args:
        graph: The graph to extend.
        value: Name of the input.
        bias: Name of a weight, which may be missing.
        activation: Its name in transformers.
        name: Name of the output.
    """
    addend = graph.optional_weight(bias)
    operator, attributes = ACTIVATIONS[activation]
    if operator == "FastGelu":
        return graph.node(operator, [value, *filter(None, [addend])], name, domain=FUSED)
    if operator == "Gelu" and addend:
        return graph.node("BiasGelu", [value, addend], name, domain=FUSED)
    if addend:
        value = graph.node("Add", [value, addend], f"{name}.sum")
    domain = "" if operator == "Relu" else FUSED
    return graph.node(operator, [value], name, domain=domain, **attributes)
