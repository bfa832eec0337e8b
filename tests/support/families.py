"""A tiny model with random weights of each family, with transformers' own classes."""

from typing import Any

import torch
import transformers

VOCABULARY, PAD = 150, 1
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 48,
    "initializer_range": 0.3,  # large, so that no two words score alike
    "pad_token_id": PAD,
}


def family(kind: str, **settings: Any) -> Any:
    """A model of a kind (one of `FAMILIES`) in evaluation mode; `settings` change its configuration."""
    name, own = (FAMILIES | UNKNOWN)[kind]
    torch.manual_seed(len(kind))
    config = getattr(transformers, f"{name}Config")(**{**SIZES, **own, **settings})
    model = getattr(transformers, f"{name}ForMaskedLM")(config)
    with torch.no_grad():  # biases and norms start as 0 and 1, where a mistake would not show
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += torch.randn_like(parameter) * 0.2
    return model.eval()


# Kind → the name of its classes, and what its configuration needs besides `SIZES`.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", {"layer_norm_eps": 1e-3}),
    "distilbert": ("DistilBert", {}),
    "roberta": ("Roberta", {}),
    "xlm-roberta": ("XLMRoberta", {}),
    "camembert": ("Camembert", {}),
    "modernbert": (
        "ModernBert",
        {"local_attention": 8, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2},
    ),
    "albert": ("Albert", {"embedding_size": 16}),
    "mpnet": ("MPNet", {}),
    "electra": ("Electra", {"embedding_size": 16}),
    "deberta-v2": (
        "DebertaV2",
        {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16},
    ),
}
FUSED = ("bert", "distilbert", "roberta", "xlm-roberta", "camembert", "modernbert")
UNKNOWN = {"fnet": ("FNet", {})}  # its Fourier transform cannot be exported
