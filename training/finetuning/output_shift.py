"""Make the output shift of a night: the tilts of the judged words, and which blanks ask for a judgement."""

import random
from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from training.corpus.lexicon import unwanted_words, wanted_words
from training.corpus.replay_sentences import ReplaySentences
from training.finetuning.batches import query_batch
from training.finetuning.generalization import Vocabulary, word_tilts
from training.inference.encoder import MASK
from training.inference.fill_model import FillModel
from training.inference.vocabulary import WORD
from training.models.output_shift import OutputShift
from training.models.torch_model import MaskedLm
from training.settings import NightSettings
from training.votes.retraining_set import Example

SLOT_QUERIES = 250  # of each of praise, blame, all others, and words of replayed texts
SLOT_DECAY = 0.01  # L2 penalty on the standardised weights
SLOT_ITERATIONS = 50
BATCH = 64


def shift_of_votes(
    model: MaskedLm,
    examples: Sequence[Example],
    *,
    exported: FillModel,
    replay_sentences: ReplaySentences,
    preferred: Collection[str],
    settings: NightSettings,
) -> OutputShift | None:
    """Return what the votes teach about words; None if nothing tells good words from bad ones.

    Args:
        model: the domain model.
        examples: the retraining set's.
        exported: the same model as it serves, which knows the words that may be offered.
        replay_sentences: sentences without votes.
        preferred: words that the team prefers, in lower case.
        settings: hyper-parameters.
    """
    offered = [int(token) for token in exported.offered]
    projection = model.architecture.projection.weight.detach()
    words = [exported.word_of(token) for token in offered]
    known = Vocabulary.of(words, projection[offered], has_lists=settings.has_word_lists)
    tilts = word_tilts(examples, known, preferred=preferred)
    sides = [wanted_words(), unwanted_words()]
    if not settings.has_word_lists:
        sides = [frozenset(word for word, tilt in tilts.items() if tilt * sign > 0) for sign in (1, -1)]
    tokens = exported.encoder.words
    good, bad = (
        torch.tensor(sorted(form for token in {*exported.tokens_of(side)} for form in tokens.forms(token)))
        for side in sides
    )
    if not tilts or not len(good) or not len(bad):
        return None
    shifts = torch.zeros(len(projection))
    for word, tilt in tilts.items():
        nats = settings.raise_by if tilt > 0 else settings.sink_by
        if (token := exported.token_of(word)) is not None:
            shifts[tokens.forms(token)] = tilt * nats
    weight, bias = _judgement_slots(model, replay_sentences, seed=settings.seed)
    return OutputShift(good, bad, shifts, weight, bias)


def _judgement_slots(model: MaskedLm, replay: ReplaySentences, *, seed: int) -> tuple[Tensor, Tensor]:
    """Logistic regression on the states at masks: does the blank ask for a judgement of product or service?

    Returns:
        (hidden,) weights and () bias.
    """
    draw = random.Random(seed)  # noqa: S311 — no secret

    def some(queries: Sequence[str]) -> list[str]:
        return draw.sample(list(queries), min(len(queries), SLOT_QUERIES))

    judging = [*some(replay.praise), *some([query for query, _ in replay.blame])]
    others = [*some(replay.others), *_plain_queries(some(replay.texts), draw)]
    states = _states(model, [*judging, *others])  # (queries, hidden)
    is_judging = torch.cat([torch.ones(len(judging)), torch.zeros(len(others))])
    mean, scale = states.mean(dim=0), states.std(dim=0).clamp_min(1e-6)
    inputs = (states - mean) / scale
    weight = torch.zeros(states.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=SLOT_ITERATIONS)

    def loss() -> Tensor:
        optimiser.zero_grad()
        missed = functional.binary_cross_entropy_with_logits(inputs @ weight + bias, is_judging)
        penalised = missed + SLOT_DECAY * weight.square().sum()
        penalised.backward()  # type: ignore[no-untyped-call]
        return penalised

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    weight, bias = weight.detach(), bias.detach()
    return weight / scale, bias - (mean / scale) @ weight


def _plain_queries(texts: Sequence[str], draw: random.Random) -> list[str]:
    """Hide one word of each text that is neither good nor bad."""
    opinions = wanted_words() | unwanted_words()
    queries = []
    for text in texts:
        spans = [m.span() for m in WORD.finditer(text) if m.group().lower() not in opinions]
        if spans:
            start, stop = draw.choice(spans)
            queries.append(f"{text[:start]}{MASK}{text[stop:]}")
    return queries


@torch.no_grad()
def _states(model: MaskedLm, queries: Sequence[str]) -> Tensor:
    """Return (queries, hidden) states of the encoder at the first mask of each query."""
    encoder = model.encoder
    firsts = [replace(query, masks=query.masks[:1]) for query in map(encoder.encode, queries)]
    order = sorted(range(len(firsts)), key=lambda index: len(firsts[index].ids))  # little padding
    states = torch.zeros(len(firsts), model.shape.hidden_size)
    model.eval()
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        batch = query_batch([firsts[row] for row in rows], encoder.pad)
        states[rows] = model.states(batch.input_ids, batch.attention_mask, batch.mask_at)
    return states
