"""What the rest of the package asks of a family of models."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from training.models.channel_order import HIDDEN, Channels, reordered
from training.models.graph import Fp32Ops, Graph, WeightOps, shifted
from training.models.output_shift import OutputShift

MAX_TOKENS = 512  # of a query; models for long texts read 8,192, which would take minutes to answer


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Sizes of an encoder: of its states, and how many tokens of a query it reads."""

    hidden_size: int
    max_tokens: int


class Architecture(ABC):
    """A family of models, with the weights of one."""

    def __init__(self, model: Any) -> None:
        """Wrap a transformers model (`…ForMaskedLM`)."""
        self.model = model

    @property
    @abstractmethod
    def shape(self) -> EncoderShape:
        """The encoder's sizes."""

    @property
    def projection(self) -> nn.Linear:
        """The output projection, whose weight (vocabulary, dimensions) may be the word embeddings."""
        projection: nn.Linear = self.model.get_output_embeddings()
        return projection

    @abstractmethod
    def states(self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Tensor:
        """(masks, hidden) states of the encoder at the masks; arguments as for `MaskedLm.forward`."""

    @abstractmethod
    def states_and_logits(
        self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return `states`, and (masks, vocabulary) logits."""

    @abstractmethod
    def linear_layers(self) -> dict[str, nn.Linear]:
        """Return the linear layers by name: their products are quantized."""

    @abstractmethod
    def to_onnx(self, shift: OutputShift | None, ops: WeightOps | None) -> onnx.ModelProto:
        """Make the graph that `onnx_export.export` describes."""


class FusedArchitecture(Architecture):
    """A family with a hand-written graph, and with layers that compute packed batches."""

    @property
    @abstractmethod
    def head(self) -> nn.Module:
        """The masked-LM head: (masks, hidden) → (masks, vocabulary)."""

    @property
    @abstractmethod
    def layers(self) -> nn.ModuleList:
        """The encoder's layers."""

    @property
    @abstractmethod
    def packed_embeddings(self) -> nn.Module:
        """(batch, tokens) ids and their packing → (packed, hidden), with the weights of this model."""

    @property
    @abstractmethod
    def packed_layers(self) -> nn.ModuleList:
        """The layers for packed batches, with the weights of this model; the last one returns the states.

        Each maps (packed, hidden) and a `Packing` to the same shape, or to (masks, hidden) with `at_masks`.
        """

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """Return the modules with weight or bias by our names; those of layer i begin with `{i}.`."""

    @property
    @abstractmethod
    def channels(self) -> Channels:
        """Which axes of the weights have which channels."""

    @abstractmethod
    def build(self, graph: Graph, ops: WeightOps) -> tuple[str, str]:
        """Add the nodes from the inputs to the states and the logits, and return the names of these two."""

    def weights(self) -> dict[str, Tensor]:
        """Return the parameters of `modules`, and the tables of embeddings."""
        return {
            f"{name}.{part}": tensor.detach().float()
            for name, module in self.modules().items()
            for part, tensor in module.named_parameters()
        }

    def states(self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Tensor:
        """Run transformers' own encoder."""
        hidden = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        states: Tensor = hidden.flatten(0, 1)[mask_at]  # (batch, tokens, hidden) → (masks, hidden)
        return states

    def states_and_logits(
        self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compute the head at the masks only."""
        states = self.states(input_ids, attention_mask, mask_at)
        return states, self.head(states)

    def linear_layers(self) -> dict[str, nn.Linear]:
        """Return those of `modules`."""
        return {name: module for name, module in self.modules().items() if isinstance(module, nn.Linear)}

    def to_onnx(self, shift: OutputShift | None, ops: WeightOps | None) -> onnx.ModelProto:
        """Write the graph node by node."""
        ops = (ops or Fp32Ops()).arranged(self.channels)
        weights = {name: tensor.cpu().numpy() for name, tensor in self.weights().items()}
        graph = Graph(reordered(weights, self.channels, ops.orders))
        states, logits = self.build(graph, ops)
        if shift is not None:
            order = ops.orders.get(HIDDEN, np.arange(self.shape.hidden_size))
            logits = shifted(graph, logits, states, shift.reordered(torch.from_numpy(order)))
        graph.node("LogSoftmax", [logits], "log_probabilities", axis=-1)
        return graph.finish()
