"""The starter: a compact DistilBERT with its own vocabulary, trained from scratch on generated sentences.

It replaces the base model where none is available, and takes the same code paths.
"""

import contextlib
import math
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from training.corpus.generator import GeneratedSentence, generate
from training.corpus.language import grammar
from training.corpus.lexicon import load_lexicon
from training.corpus.sentences import stop_words
from training.finetuning.batches import CorpusBatches
from training.finetuning.losses import masked_lm
from training.finetuning.trainer import LossPoint, Step, train
from training.inference.words import BERT_TOKENS
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import StarterSettings

MAX_POSITIONS = 512
OWN_SHARE = 0.6  # of the sentences, from the patterns that only the starter learns
PIECE_LENGTHS = (2, 3, 4)
COMPOUND = re.compile(r"\b[^\W\d_]+(?:-[^\W\d_]+)+\b")


def train_starter(
    settings: StarterSettings, *, device: torch.device, progress: Progress
) -> tuple[MaskedLm, list[LossPoint]]:
    """Train the starter: about a minute on two cores, deterministic on the same machine."""
    torch.manual_seed(settings.seed)
    sentences = starter_sentences(settings, progress)
    tokenizer = make_tokenizer([sentence.text for sentence in sentences], size=settings.vocabulary)
    model = MaskedLm(_blank(settings, tokenizer.get_vocab_size()), tokenizer, base="starter")
    points = learn_sentences(model, sentences, settings, device=device, progress=progress)
    return model, points


def starter_sentences(settings: StarterSettings, progress: Progress) -> list[GeneratedSentence]:
    """Generate the sentences that a model learns from scratch."""
    progress.step("writing sentences for the starter model", settings.sentences)
    own = round(settings.sentences * OWN_SHARE)
    sentences = generate(settings.sentences - own, seed=settings.seed, progress=progress)
    return sentences + generate(own, seed=settings.seed, starter=True, progress=progress)


def learn_sentences(
    model: MaskedLm,
    sentences: Sequence[GeneratedSentence],
    settings: StarterSettings,
    *,
    device: torch.device,
    progress: Progress,
) -> list[LossPoint]:
    """Train a model of any family on sentences, in place; leave it on the CPU and in evaluation mode."""
    model.to(device)
    batches = iter(
        CorpusBatches(
            [sentence.text for sentence in sentences],
            model.encoder,
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
    model.cpu()
    return points


def _seldom_asked() -> frozenset[str]:
    """Return words that no query asks for: "the", and "very" or "far" before an adjective."""
    lists = load_lexicon().lists
    found = [lists[name] for name in ("very", "too") if name in lists]
    degrees = {word for each in found for phrase in each.words for word in phrase.split()}
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
    strip_accents = None if grammar().drops_accents else False  # None strips them with the capitals
    normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=strip_accents)
    splitter = pre_tokenizers.BertPreTokenizer()
    lowered = [normalizer.normalize_str(text) for text in texts]
    words = Counter(word for text in lowered for word, _ in splitter.pre_tokenize_str(text))
    pieces: Counter[str] = Counter()
    for word, count in words.items():
        for length in PIECE_LENGTHS:
            if len(word) > length:
                pieces[word[:length]] += count
                pieces["##" + word[-length:]] += count
    characters = sorted({c for word in words for c in word} | set(string.ascii_lowercase + string.digits))
    vocabulary = [*BERT_TOKENS.names, *characters, *(f"##{c}" for c in characters)]
    vocabulary += sorted((w for w, n in words.items() if n > 1 and len(w) > 1), key=lambda w: (-words[w], w))
    known = set(vocabulary)
    vocabulary += sorted((p for p in pieces if p not in known), key=lambda p: (-pieces[p], p))
    tokens = {token: number for number, token in enumerate(vocabulary[:size])}
    tokenizer = Tokenizer(models.WordPiece(tokens, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.add_special_tokens(BERT_TOKENS.names)
    listed = load_lexicon().lists.get("brand")
    brands = {brand.lower() for brand in listed.words} if listed else set()  # "Nike-Schuhe" is two words
    found = {word for text in lowered for word in COMPOUND.findall(text)}
    compounds = sorted(word for word in found if word.partition("-")[0] not in brands)
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
    begin_with_waves(blank.distilbert.embeddings.position_embeddings, settings.initial_std)
    return blank


def begin_with_waves(positions: torch.nn.Embedding, std: float) -> None:
    """Let position embeddings start as sinusoids of a standard deviation."""
    count, size = positions.weight.shape
    steps = torch.arange(count)[:, None] / 10_000 ** (torch.arange(0, size, 2) / size)
    waves = torch.stack([steps.sin(), steps.cos()], dim=-1).flatten(1)  # (positions, hidden)
    with torch.no_grad():
        positions.weight.copy_(waves * std * math.sqrt(2))
