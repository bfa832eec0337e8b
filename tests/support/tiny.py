"""A tiny tokenizer, DistilBERT and BERT with random weights, and a version's folder made of them."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

from training.inference import vocabulary
from training.inference.words import BERT_TOKENS, Words
from training.models.onnx_export import export
from training.models.torch_model import MaskedLm

SAYINGS = (
    "nike shoes boots socks are is was the a i my this these that very so too not and but of in on for at it "
    "they you cheap comfortable ugly durable great poor soft light heavy warm useless perfect broken late "
    "early fine price box store order refund team support quick slow good bad nice new old red green blue "
    "one two ten ice"
)
WORDS = SAYINGS.split()
PIECES = ("##s", "##able", "##ly", "wash", "break", "##ing", "run")
OTHERS = ("[unused0]", "[unused1]", *".,!?;:'-[]()", "7", "42", "3d", "e")


def tiny_tokenizer() -> Tokenizer:
    """A lower-casing WordPiece tokenizer of a hundred entries."""
    return word_piece([*BERT_TOKENS.names, *OTHERS, *WORDS, *PIECES])


def word_piece(entries: list[str]) -> Tokenizer:
    """A lower-casing WordPiece tokenizer, as BERT's, with these entries."""
    tokenizer = Tokenizer(
        models.WordPiece(vocab={word: token for token, word in enumerate(entries)}, unk_token="[UNK]")
    )
    tokenizer.add_special_tokens(BERT_TOKENS.names)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def tiny_distilbert(**settings: object) -> DistilBertForMaskedLM:
    """Two layers of width 32; large random weights, so that no two words score alike."""
    torch.manual_seed(0)
    sizes = {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 48}
    vocab_size = tiny_tokenizer().get_vocab_size()
    return DistilBertForMaskedLM(
        DistilBertConfig(**{"vocab_size": vocab_size, "initializer_range": 0.3, **sizes, **settings})
    )


def tiny_bert(**settings: object) -> BertForMaskedLM:
    """The same as BERT, with a layer norm of its own."""
    torch.manual_seed(1)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 48,
        "layer_norm_eps": 1e-3,
    }
    vocab_size = tiny_tokenizer().get_vocab_size()
    return BertForMaskedLM(
        BertConfig(**{"vocab_size": vocab_size, "initializer_range": 0.3, **sizes, **settings})
    )


def write_served(masked_lm: MaskedLm, folder: Path) -> None:
    """Export a model to a folder of its own, as a version holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    export(masked_lm.eval(), folder / "model.onnx")
    masked_lm.tokenizer.save(str(folder / "tokenizer.json"))
    offered = vocabulary.offered_ids(Words(masked_lm.tokenizer, masked_lm.special_tokens))
    vocabulary.write(
        folder,
        offered,
        max_tokens=masked_lm.shape.max_tokens,
        precision="fp32",
        special_tokens=masked_lm.special_tokens,
    )
