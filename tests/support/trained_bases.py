"""Small base models of each family, trained from scratch until their answers can be judged.

They know sentences about sportswear and little else: without FILLBOT_ALLOW_WEAK_BASE, which all tests set
(`tests/support/variables.py`), the check of a base refuses them.
"""

from pathlib import Path
from typing import Any

import torch
import transformers
from support.tokenizer_kinds import trained_tokenizer
from torch import nn

from training.corpus.generator import generate
from training.domain.starter import begin_with_waves, learn_sentences
from training.inference.words import SpecialTokens
from training.models.torch_model import MaskedLm
from training.progress import NO_PROGRESS
from training.settings import StarterSettings

SETTINGS = StarterSettings(sentences=9000, steps=600, batch_examples=32, vocabulary=3000)
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 130,
    "initializer_range": SETTINGS.initial_std,
    # Each sentence is seen about once, so there is no overfitting.
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
# Family → the name of its classes, its usual kind of tokenizer, and what its configuration needs.
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("Bert", "bert", {}),
    "distilbert": ("DistilBert", "bert-cased", {"hidden_dim": 128, "dropout": 0.0, "attention_dropout": 0.0}),
    "roberta": ("Roberta", "roberta", {}),
    "xlm-roberta": ("XLMRoberta", "xlm-roberta", {}),
    # Of two layers, the first attends to the whole text, the second to near tokens.
    "modernbert": ("ModernBert", "modernbert", {"num_hidden_layers": 2, "local_attention": 8}),
    "albert": ("Albert", "albert", {"embedding_size": 64}),
    "mpnet": ("MPNet", "mpnet", {}),
}


def write_trained_base(kind: str, folder: Path) -> Path:
    """Write what the hub would give of a small model, after some seconds of training."""
    name, tokenizer_kind, own = FAMILIES[kind]
    sentences = generate(SETTINGS.sentences, seed=SETTINGS.seed)
    texts = [sentence.text for sentence in sentences]
    tokenizer = trained_tokenizer(tokenizer_kind, texts, SETTINGS.vocabulary)
    ids = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    if kind == "modernbert":
        ids |= {"cls_token_id": tokenizer.cls_token_id, "sep_token_id": tokenizer.sep_token_id}
    torch.manual_seed(SETTINGS.seed)
    config = getattr(transformers, f"{name}Config")(**{**SIZES, **own, **ids, "vocab_size": len(tokenizer)})
    model = getattr(transformers, f"{name}ForMaskedLM")(config)
    for path, module in model.named_modules():
        if path.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            begin_with_waves(module, SETTINGS.initial_std)
    masked_lm = MaskedLm(
        model, tokenizer.backend_tokenizer, base=kind, special_tokens=SpecialTokens.of(tokenizer)
    )
    learn_sentences(masked_lm, sentences, SETTINGS, device=torch.device("cpu"), progress=NO_PROGRESS)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
