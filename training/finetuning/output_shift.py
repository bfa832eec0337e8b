"""Make the output shift of a night: the tilts of the judged words, and which blanks ask for what.

Until the weights are trained, whether a blank asks for praise is read from the model's own log-odds of good
and bad words alone. Then the encoder's state is read as well: training moves praise and blame apart there,
and a heavily penalised regression on generated sentences tells them apart in others, too.
"""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

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
ITERATIONS = 50
SIDE_QUERIES = 600  # of praise, and of blame
SIDE_DECAY = 0.5  # with less, it learns what is particular to the generated sentences
SIDE_STEEPNESS, SIDE_THRESHOLD = 20.0, -0.3  # per standard deviation of the score, and in such deviations
ODDS_STEEPNESS, ODDS_THRESHOLD = 3.0, 1.0  # of the odds alone: per nat, and in nats
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
    return OutputShift(
        good,
        bad,
        shifts,
        slot_weight=weight,
        slot_bias=bias,
        side_weight=torch.zeros_like(weight),
        side_bias=torch.tensor(-ODDS_STEEPNESS * ODDS_THRESHOLD),
        odds_weight=ODDS_STEEPNESS,
    )


def with_trained_sides(
    shift: OutputShift, model: MaskedLm, replay_sentences: ReplaySentences, *, seed: int
) -> OutputShift:
    """Return a shift that reads praise from the states of a trained model as well as from its odds.

    Both count the same, in standard deviations over the generated sentences. The shift is returned as it is
    where no sentences of both kinds are known: in a language without patterns.
    """
    draw = random.Random(seed)  # noqa: S311 — no secret
    praise = _some(replay_sentences.praise, SIDE_QUERIES, draw)
    blame = _some([query for query, _ in replay_sentences.blame], SIDE_QUERIES, draw)
    if not praise or not blame:
        return shift

    def states_and_odds(*batch: Any) -> tuple[Tensor, Tensor]:
        states, logits = model.architecture.states_and_logits(*batch)
        return states, logits[:, shift.good].logsumexp(-1) - logits[:, shift.bad].logsumexp(-1)

    states, odds = _at_first_masks(model, [*praise, *blame], states_and_odds)  # (queries, hidden), (queries,)
    is_praise = torch.cat([torch.ones(len(praise)), torch.zeros(len(blame))])
    weight, bias = _regression(states, is_praise, decay=SIDE_DECAY)
    of_state = states @ weight + bias
    state_weight, odds_weight = (1 / scores.std().clamp_min(1e-6) for scores in (of_state, odds))
    both = state_weight * of_state + odds_weight * (odds - ODDS_THRESHOLD)  # (queries,)
    steepness = SIDE_STEEPNESS / both.std().clamp_min(1e-6)
    offset = state_weight * bias - odds_weight * ODDS_THRESHOLD
    return replace(
        shift,
        side_weight=steepness * state_weight * weight,
        side_bias=steepness * offset - SIDE_STEEPNESS * SIDE_THRESHOLD,
        odds_weight=float(steepness * odds_weight),
    )


def _judgement_slots(model: MaskedLm, replay: ReplaySentences, *, seed: int) -> tuple[Tensor, Tensor]:
    """Logistic regression on the states at masks: does the blank ask for a judgement of product or service?

    Returns:
        (hidden,) weights and () bias.
    """
    draw = random.Random(seed)  # noqa: S311 — no secret
    judging = [
        *_some(replay.praise, SLOT_QUERIES, draw),
        *_some([query for query, _ in replay.blame], SLOT_QUERIES, draw),
    ]
    others = [
        *_some(replay.others, SLOT_QUERIES, draw),
        *_plain_queries(_some(replay.texts, SLOT_QUERIES, draw), draw),
    ]
    states = _states(model, [*judging, *others])  # (queries, hidden)
    is_judging = torch.cat([torch.ones(len(judging)), torch.zeros(len(others))])
    return _regression(states, is_judging, decay=SLOT_DECAY)


def _some(queries: Sequence[str], most: int, draw: random.Random) -> list[str]:
    return draw.sample(list(queries), min(len(queries), most))


def _regression(states: Tensor, labels: Tensor, *, decay: float) -> tuple[Tensor, Tensor]:
    """Logistic regression of (queries,) labels on (queries, hidden) states.

    Args:
        states: the states.
        labels: 0 or 1.
        decay: L2 penalty on the weights of the standardised states.

    Returns:
        (hidden,) weights and () bias.
    """
    mean, scale = states.mean(dim=0), states.std(dim=0).clamp_min(1e-6)
    inputs = (states - mean) / scale
    weight = torch.zeros(states.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS)

    def loss() -> Tensor:
        optimiser.zero_grad()
        missed = functional.binary_cross_entropy_with_logits(inputs @ weight + bias, labels)
        penalised = missed + decay * weight.square().sum()
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


def _states(model: MaskedLm, queries: Sequence[str]) -> Tensor:
    """Return (queries, hidden) states of the encoder at the first mask of each query."""
    return _at_first_masks(model, queries, lambda *batch: (model.states(*batch),))[0]


@torch.no_grad()
def _at_first_masks(
    model: MaskedLm, queries: Sequence[str], forward: Callable[..., tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """Return what a forward pass computes at the first mask of each query, in the order of the queries."""
    encoder = model.encoder
    firsts = [replace(query, masks=query.masks[:1]) for query in map(encoder.encode, queries)]
    order = sorted(range(len(firsts)), key=lambda index: len(firsts[index].ids))  # little padding
    model.eval()
    found = []
    for start in range(0, len(order), BATCH):
        batch = query_batch([firsts[row] for row in order[start : start + BATCH]], encoder.pad)
        found.append(forward(batch.input_ids, batch.attention_mask, batch.mask_at))
    back = torch.tensor(order).argsort()
    return tuple(torch.cat(values).float()[back] for values in zip(*found, strict=True))
