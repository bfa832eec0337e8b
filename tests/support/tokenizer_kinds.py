"""Real tokenizers of each kind, trained on generated sentences, in folders as the hub gives them."""

import atexit
import functools
import json
import math
import re
import shutil
import string
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AlbertTokenizer,
    BertTokenizer,
    CamembertTokenizer,
    MPNetTokenizer,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    XLMRobertaTokenizer,
)

from training.corpus.generator import generate

ENTRIES = 1_500
SENTENCES = 1_500
# Spellings that the generated sentences lack, often enough to become whole tokens.
OTHERS = (
    "Die Schuhe sind schön, bequem und für den Sommer zu groß.",
    "Schöne Schuhe! Der Preis ist in Ordnung, die Größe auch.",
    "L'été, c'est l'heure d'acheter des chaussures élégantes.",
    "J'aime l'odeur, et l'été prochain j'achèterai l'autre.",
    "COMFORTABLE and comfortable, Comfortable or (comfortable)?",
    "I love them so much 😀 🎉, really (really) \"good\" and 'good' value!",
)
BYTES = pre_tokenizers.ByteLevel.alphabet()


@functools.cache
def tokenizer_folder(kind: str) -> Path:
    """A folder with the trained tokenizer of a kind (one of `KINDS`). Not to be written to."""
    folder = _temporary_folder() / kind
    trained_tokenizer(kind, training_texts(), ENTRIES).save_pretrained(folder)
    return folder


def trained_tokenizer(kind: str, texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    """A tokenizer of a kind (one of `KINDS`), trained on texts, with about as many entries."""
    return KINDS[kind](texts, entries)


@functools.cache
def training_texts() -> tuple[str, ...]:
    """The sentences that the tokenizers are trained on."""
    texts = [sentence.text for sentence in generate(SENTENCES, seed=24)]
    return (*texts, *(OTHERS * 40))


@functools.cache
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tokenizers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _bert(texts: Sequence[str], entries: int, *, lowercase: bool = False) -> PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return BertTokenizer(
        vocab=_word_pieces(texts, entries, special, lowercase=lowercase), do_lower_case=lowercase
    )


def _mpnet(texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    """RoBERTa's special tokens with BERT's pieces."""
    return MPNetTokenizer(
        vocab=_word_pieces(texts, entries, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"], lowercase=True)
    )


def _word_pieces(
    texts: Sequence[str], entries: int, special: list[str], *, lowercase: bool
) -> dict[str, int]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=entries, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.get_vocab()


def _byte_level(texts: Sequence[str], entries: int, special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=entries, special_tokens=special, initial_alphabet=BYTES, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _roberta(texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    tokenizer = _byte_level(texts, entries, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    content = _json(tokenizer)["model"]
    merges = [tuple(pair) for pair in content["merges"]]
    mask = AddedToken("<mask>", lstrip=True, normalized=False, special=True)
    return RobertaTokenizer(vocab=content["vocab"], merges=merges, mask_token=mask)


def _modernbert(texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    tokenizer = _byte_level(texts, entries, ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True, normalized=False, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token=AddedToken("[MASK]", lstrip=True, normalized=False, special=True),
    )


def _unigram(texts: Sequence[str], entries: int, special: list[str]) -> list[tuple[str, float]]:
    """Pieces with their scores: frequent words with and without the mark of a space, and all characters.

    Counted here: the library's own trainer needs more text than this to keep frequent words whole.
    """
    counts = Counter(
        piece
        for text in texts
        for word in text.split()
        for piece in re.findall(r"▁?\w+|▁?[^\w\s]", f"▁{word}")
    )
    total = sum(counts.values())
    pieces = {piece: math.log(count / total) for piece, count in counts.most_common(entries)}
    characters = sorted({"▁", *string.printable.strip(), *(c for piece in counts for c in piece)})
    pieces |= {c: -15.0 for c in characters if c not in pieces}
    return [*((token, 0.0) for token in special), *pieces.items()]


def _xlm_roberta(texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    vocabulary = [*_unigram(texts, entries, ["<s>", "<pad>", "</s>", "<unk>"]), ("<mask>", 0.0)]
    return XLMRobertaTokenizer(vocab=vocabulary, mask_token=AddedToken("<mask>", lstrip=True, special=True))


def _albert(texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    """Lower-casing, and without accents."""
    plain = [normalizers.BertNormalizer(lowercase=True).normalize_str(text) for text in texts]
    return AlbertTokenizer(vocab=_unigram(plain, entries, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]))


def _camembert(texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    unused = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"]
    return CamembertTokenizer(vocab=[*_unigram(texts, entries, [*unused, "<s>", "</s>"]), ("<mask>", 0.0)])


def _mmbert(texts: Sequence[str], entries: int) -> PreTrainedTokenizerFast:
    """Gemma's: a normalizer writes spaces as `▁`, none comes before a text, and rare characters are bytes."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(
        vocab_size=entries,
        special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"▁?\w+|▁?[^\w▁]"), "isolated")  # to train with
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>",
        pair="<bos> $A <eos> $B <eos>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<bos>", "<eos>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<bos>",
        eos_token="<eos>",
        cls_token="<bos>",
        sep_token="<eos>",
        pad_token="<pad>",
        mask_token=AddedToken("<mask>", lstrip=True, normalized=False, special=True),
    )


def _json(tokenizer: Tokenizer) -> dict[str, Any]:
    return json.loads(tokenizer.to_str())


KINDS: dict[str, Callable[[Sequence[str], int], PreTrainedTokenizerFast]] = {
    "bert": functools.partial(_bert, lowercase=True),
    "bert-cased": _bert,
    "roberta": _roberta,
    "xlm-roberta": _xlm_roberta,
    "modernbert": _modernbert,
    "camembert": _camembert,
    "mmbert": _mmbert,
    "albert": _albert,
    "mpnet": _mpnet,
}
UNCASED = ("bert", "albert", "mpnet")
