"""Int8 quantization: weights per output channel, activations with one scale per product, outliers in fp32.

A few channels of a transformer's activations are tens of times larger than the rest, and a common scale
leaves hardly any steps for the others (Dettmers et al. 2208.07339). These channels are known in advance: they
are split off when the graph is written, and multiplied in fp32. The scales are fixed at that time, too, from
the activations of generated sentences, so that a reply does not depend on the other queries in its batch.

The layers of a model have the same large channels, so that one order of all channels puts them first. What
attention returns has no such channels: it is a mean over tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Self

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto, helper
from torch import nn

from training.corpus.replay_sentences import ReplaySentences
from training.inference.encoder import Encoded
from training.models.channel_order import Channels, Order
from training.models.graph import FUSED, Floats, Graph
from training.models.torch_model import MaskedLm

# Shares of a product's input channels that stay in fp32, each tried where the one before is not enough. At
# distilbert's size a quarter adds 2 ms to a query, fp32 adds 7.
OUTLIER_SHARES = (1 / 24, 1 / 12, 1 / 6, 1 / 4)
HEADROOM = 1.1  # on the range seen in calibration: values beyond it are clipped
CALIBRATED_ON = 64  # generated sentences each of praise, blame and all others
# Product → linear layers that may have the same input.
STACKED = {"qkv": ("q",), "kv": ("q", "qkv"), "q": ("qkv",)}


@dataclass(frozen=True, slots=True)
class ActivationRange:
    """Smallest and largest activation seen, per input channel: (in,) each."""

    low: Floats
    high: Floats

    @property
    def size(self) -> Floats:
        """(in,) the largest absolute value."""
        return np.maximum(-self.low, self.high)

    def reordered(self, order: Order) -> "ActivationRange":
        """Return the range with its channels in another order."""
        return ActivationRange(self.low[order], self.high[order])

    @classmethod
    def of(cls, activations: torch.Tensor) -> Self:
        """Take the range of (rows, in) activations."""
        return cls(activations.amin(dim=0).numpy(), activations.amax(dim=0).numpy())

    def union(self, other: "ActivationRange | None") -> "ActivationRange":
        """Return the smallest range that contains both."""
        if other is None:
            return self
        return ActivationRange(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


def calibrate(model: MaskedLm, queries: Sequence[str] = ()) -> dict[str, ActivationRange]:
    """Measure the inputs of all linear layers, by the names of `Architecture.linear_layers`.

    Args:
        model: the model to quantize.
        queries: texts to measure on besides the generated sentences.
    """
    replay = ReplaySentences.generate(seed=0, sentences=40 * CALIBRATED_ON, replayed=1)
    blame = tuple(query for query, _ in replay.blame)
    texts = [text for part in (replay.praise, blame, replay.others) for text in part[:CALIBRATED_ON]]
    texts += queries
    encoder = model.encoder
    return activation_ranges(model, [encoder.encode(text) for text in texts])


def activation_ranges(model: MaskedLm, queries: Sequence[Encoded]) -> dict[str, ActivationRange]:
    """Measure the inputs of all linear layers on queries, in batches of equal length: no padding."""
    ranges: dict[str, ActivationRange] = {}

    def watch(name: str, linear: nn.Linear) -> torch.utils.hooks.RemovableHandle:
        def note(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            ranges[name] = ActivationRange.of(inputs[0].detach().flatten(0, -2)).union(ranges.get(name))

        return linear.register_forward_pre_hook(note)

    handles = [watch(name, linear) for name, linear in model.architecture.linear_layers().items()]
    try:
        with torch.inference_mode():
            by_length = sorted(queries, key=lambda query: len(query.ids))
            for length, group in groupby(by_length, key=lambda query: len(query.ids)):
                batch = list(group)
                at = [row * length + place for row, query in enumerate(batch) for place in query.masks]
                model(torch.tensor([query.ids for query in batch]), None, torch.tensor(at))
    finally:
        for handle in handles:
            handle.remove()
    return ranges


@cache
def largest_weight() -> int:
    """Return the largest integer for a weight: 127, or 64 on processors where int8 products saturate.

    x86 without VNNI adds pairs of 8-bit products in 16 bits, and 2 · 255 · 64 is the most that fits (ONNX
    Runtime's guide calls the remedy `reduce_range`). One product shows whether this processor does so.
    """
    inner = 64
    inputs = [
        helper.make_tensor("values", TensorProto.UINT8, (1, inner), [255] * inner),
        helper.make_tensor("weights", TensorProto.INT8, (inner, 1), [127] * inner),
    ]
    node = helper.make_node("MatMulInteger", ["values", "weights"], ["product"])
    product = helper.make_tensor_value_info("product", TensorProto.INT32, (1, 1))
    model = helper.make_model(
        helper.make_graph([node], "probe", [], [product], inputs),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
    options = ort.SessionOptions()
    # Otherwise the constant product is folded away.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {})
    return 127 if int(found[0, 0]) == 255 * 127 * inner else 64


class Int8Ops:
    """`WeightOps` in int8, with the ranges from `calibrate`."""

    def __init__(
        self, ranges: Mapping[str, ActivationRange], *, outlier_share: float = OUTLIER_SHARES[0]
    ) -> None:
        self._ranges, self._outlier_share = ranges, outlier_share
        self._arranged: frozenset[str] | None = None  # linear layers whose input has its outliers first
        self.orders: dict[str, Order] = {}

    def arranged(self, channels: Channels) -> "Int8Ops":
        """Return the operations for a model whose channels have the largest activations first."""
        parts = {
            layer: axes[-1]
            for layer in self._ranges
            if (axes := channels.get(f"{layer}.weight")) and axes[-1] is not None
        }
        sizes: dict[str, list[Floats]] = {}
        for layer, part in parts.items():
            size = self._ranges[layer].size
            sizes.setdefault(str(part), []).append(size / max(float(np.quantile(size, 0.9)), 1e-6))
        orders = {part: np.argsort(-np.mean(each, axis=0), kind="stable") for part, each in sizes.items()}
        ranges = {
            layer: seen.reordered(orders[str(parts[layer])]) if layer in parts else seen
            for layer, seen in self._ranges.items()
        }
        made = Int8Ops(ranges, outlier_share=self._outlier_share)
        made._arranged, made.orders = frozenset(parts), orders
        return made

    def multiply(self, graph: Graph, value: str, name: str, weight: Floats, bias: Floats | None) -> str:
        """Add the product of the outliers in fp32 and that of all other channels in int8."""
        layer = self._layer(name)
        seen = self._ranges[layer]
        number = int(len(seen.size) * self._outlier_share)
        if self._arranged is None:  # a traced graph
            outliers = np.sort(np.argsort(-seen.size, kind="stable")[:number])
        else:
            outliers = np.arange(number if layer in self._arranged else 0)
        if not len(outliers):
            return self._quantized(graph, value, name, weight, bias, seen)
        if self._arranged is None:
            columns = graph.constant(f"{name}.outliers", outliers)
            large = graph.node("Gather", [value, columns], f"{name}.large", axis=-1)
        else:
            start, end, axis = (
                graph.constant(f"outliers.{place}", np.array([place])) for place in (0, number, -1)
            )
            large = graph.node("Slice", [value, start, end, axis], f"{name}.large")
        exact_weight = graph.constant(f"{name}.exact", weight[outliers])
        exact = graph.node("MatMul", [large, exact_weight], f"{name}.exact_product")
        is_kept = np.ones(len(seen.size), dtype=np.float32)
        is_kept[outliers] = 0
        # The outliers are clipped to the range of the others, which does no harm: their weights are 0 here.
        rest = ActivationRange(seen.low * is_kept, seen.high * is_kept)
        most = self._quantized(graph, value, name, weight * is_kept[:, None], bias, rest)
        return graph.node("Add", [most, exact], f"{name}.sum")

    def look_up(self, graph: Graph, ids: str) -> str:
        """Look up rows of the table in fp16, which halves its memory and does not change predictions."""
        table = graph.constant("words.half", graph.weights["words"].astype(np.float16))
        rows = graph.node("Gather", [table, ids], "half_rows", axis=0)
        return graph.node("Cast", [rows], "word_rows", to=TensorProto.FLOAT)

    def project(self, graph: Graph, value: str) -> str:
        """Quantize without outliers: its input has hardly any, and it is half of the weights."""
        weight, bias = graph.weights["projector.weight"].T, graph.weights.get("projector.bias")
        return self._quantized(graph, value, "projector", weight, bias, self._ranges["projector"])

    def _layer(self, name: str) -> str:
        """Return a linear layer that has the input of a product."""
        layer, _, part = name.rpartition(".")
        names = (name, *(f"{layer}.{other}" for other in STACKED.get(part, ())))
        return next(each for each in names if each in self._ranges)

    def _quantized(
        self, graph: Graph, value: str, name: str, weight: Floats, bias: Floats | None, seen: ActivationRange
    ) -> str:
        low, high = min(0.0, float(seen.low.min())) * HEADROOM, max(0.0, float(seen.high.max())) * HEADROOM
        step = max(high - low, 1e-6) / 255
        scale = graph.constant(f"{name}.step", np.float32(step))
        zero = graph.constant(f"{name}.zero", np.uint8(round(-low / step)))
        steps = np.maximum(np.abs(weight).max(axis=0) / largest_weight(), 1e-12).astype(np.float32)  # (out,)
        integers = np.rint(weight / steps).astype(np.int8)
        inputs = [
            graph.node("QuantizeLinear", [value, scale, zero], f"{name}.integers"),
            graph.constant(f"{name}.weight.int8", integers),
            scale,
            graph.constant(f"{name}.weight.steps", steps),
            zero,
            "",  # the zero point of the weights is 0
            *([] if bias is None else [graph.constant(f"{name}.bias", bias)]),
        ]
        return graph.node("MatMulIntegerToFloat", inputs, f"{name}.product", domain=FUSED)
