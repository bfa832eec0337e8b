"""The starter: a compact DistilBERT with its own vocabulary, trained from scratch on generated sentences.

It replaces the base model where none is available, and takes the same code paths.
"""

import contextlib
import math
import re
import string
from collections import Counter
from collections.abc import Iterator

import torch
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from training.corpus.generator import STARTER_PATTERNS_DIR, generate
from training.corpus.lexicon import load_lexicon
from training.corpus.sentences import stop_words
from training.finetuning.batches import CorpusBatches
from training.finetuning.losses import masked_lm
from training.finetuning.trainer import LossPoint, Step, train
from training.inference.encoder import Encoder
from training.models.torch_model import SPECIAL_TOKENS, MaskedLm
from training.progress import Progress
from training.settings import StarterSettings

MAX_POSITIONS = 512
OWN_SHARE = 0.6  # of the sentences, from the patterns that only the starter learns
PIECE_LENGTHS = (2, 3, 4)
COMPOUND = re.compile(r"\b[a-z]+(?:-[a-z]+)+\b")


def train_starter(
    settings: StarterSettings, *, device: torch.device, progress: Progress
) -> tuple[MaskedLm, list[LossPoint]]:
    """Train the starter: about a minute on two cores, deterministic on the same machine."""
    progress.step("writing sentences for the starter model", settings.sentences)
    torch.manual_seed(settings.seed)
    own = round(settings.sentences * OWN_SHARE)
    sentences = generate(settings.sentences - own, seed=settings.seed, progress=progress)
    sentences += generate(own, seed=settings.seed, folder=STARTER_PATTERNS_DIR, progress=progress)
    texts = [sentence.text for sentence in sentences]
    tokenizer = make_tokenizer(texts, size=settings.vocabulary)
    model = MaskedLm(_blank(settings, tokenizer.get_vocab_size()), tokenizer, base="starter").to(device)
    batches = iter(
        CorpusBatches(
            texts,
            Encoder(tokenizer, max_tokens=settings.max_tokens),
            batch_examples=settings.batch_examples,
            mask_share=settings.mask_share,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            focus=[sentence.focus for sentence in sentences],
            seldom=_seldom_asked(),
        )
    )

    def step_at(_step: int) -> Step:
        batch = next(batches).to(device)

        def loss(micro_batches: int) -> torch.Tensor:
            (logits,) = batch.forward(model, micro_batches=micro_batches)
            assert batch.targets is not None
            return masked_lm(logits, batch.targets)

        return Step(loss, rows=len(batch.input_ids))

    progress.step("training the starter model", settings.steps)
    with _one_thread():
        points = train(model, step_at, steps=settings.steps, rates=settings, device=device, progress=progress)
    return model.cpu(), points


def _seldom_asked() -> frozenset[str]:
    """Return words that no query asks for: "the", and "very" or "far" before an adjective."""
    lists = load_lexicon().lists
    degrees = {word for name in ("very", "too") for phrase in lists[name].words for word in phrase.split()}
    return stop_words() | degrees


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: such small matrices gain nothing from a second one, and lose much if cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def make_tokenizer(texts: list[str], *, size: int) -> Tokenizer:
    """Make a lower-casing WordPiece tokenizer in which compounds such as `good-looking` are single tokens.

    Every word that occurs twice is a token; the other words are spelt with characters and the most frequent
    beginnings and ends of words. The library's own trainer is not used: it breaks ties differently each time.

    Args:
        texts: The training texts.
        size: Maximum number of entries without the compounds.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    lowered = [normalizer.normalize_str(text) for text in texts]
    words = Counter(word for text in lowered for word, _ in splitter.pre_tokenize_str(text))
    pieces: Counter[str] = Counter()
    for word, count in words.items():
        for length in PIECE_LENGTHS:
            if len(word) > length:
                pieces[word[:length]] += count
                pieces["##" + word[-length:]] += count
    characters = sorted({c for word in words for c in word} | set(string.ascii_lowercase + string.digits))
    vocabulary = [*SPECIAL_TOKENS, *characters, *(f"##{c}" for c in characters)]
    vocabulary += sorted((w for w, n in words.items() if n > 1 and len(w) > 1), key=lambda w: (-words[w], w))
    known = set(vocabulary)
    vocabulary += sorted((p for p in pieces if p not in known), key=lambda p: (-pieces[p], p))
    tokens = {token: number for number, token in enumerate(vocabulary[:size])}
    tokenizer = Tokenizer(models.WordPiece(tokens, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    compounds = sorted({word for text in lowered for word in COMPOUND.findall(text)})
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in compounds])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokens[token]) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _blank(settings: StarterSettings, vocabulary: int) -> torch.nn.Module:
    """Make an untrained model.

    Two things let attention learn in hundreds of steps instead of thousands: an initial standard deviation
    for the small width (BERT's 0.02 is for 768), and position embeddings that start as sinusoids (Vaswani et
    al. 1706.03762, section 3.5), so that neighbours are similar from the start.
    """
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    blank = DistilBertForMaskedLM(
        DistilBertConfig(
            vocab_size=vocabulary,
            dim=settings.hidden_size,
            hidden_dim=settings.inner_size,
            n_layers=settings.layers,
            n_heads=settings.heads,
            max_position_embeddings=MAX_POSITIONS,
            dropout=0.0,  # each sentence is seen about once, so there is no overfitting
            attention_dropout=0.0,
            initializer_range=settings.initial_std,
        )
    )
    steps = torch.arange(MAX_POSITIONS)[:, None] / 10_000 ** (
        torch.arange(0, settings.hidden_size, 2) / settings.hidden_size
    )
    waves = torch.stack([steps.sin(), steps.cos()], dim=-1).flatten(1)  # (positions, hidden)
    table = blank.distilbert.embeddings.position_embeddings.weight
    with torch.no_grad():
        table.copy_(waves * settings.initial_std * math.sqrt(2))
    return blank
