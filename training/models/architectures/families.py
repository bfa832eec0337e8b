"""Which family a model is of."""

from typing import Any

from storage.sentences import Sentence
from training.errors import BaseModelError
from training.models.architectures.any_model import AnyModel
from training.models.architectures.architecture import Architecture
from training.models.architectures.bert import Bert
from training.models.architectures.modernbert import ModernBert

MAX_BYTES = 2_000_000_000  # of an ONNX file, in fp32


def architecture_of(model: Any, *, base: str) -> Architecture:
    """Return the architecture of a transformers model.

    Raises:
        BaseModelError: The model is too large, or its parts cannot be told apart.
    """
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    if size > MAX_BYTES:
        reason = Sentence("it has {size:.1f} GB, and an ONNX file holds only 2 GB", size=size / 1e9)
        raise BaseModelError(base, reason)
    for family in (Bert, ModernBert):
        if family.fits(model):
            return family(model)
    return AnyModel(model, base=base)
