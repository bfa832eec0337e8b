"""A tiny real model learns the votes, and its other answers hardly move."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.families import family
from support.tiny import tiny_tokenizer

from training.corpus.replay_sentences import ReplaySentences
from training.finetuning.fine_tune import fine_tune
from training.finetuning.objective import DEFAULT_OBJECTIVE
from training.finetuning.trainer import LossPoint
from training.inference.encoder import Encoder
from training.models.output_shift import OutputShift
from training.models.torch_model import MaskedLm
from training.progress import NoProgress
from training.settings import NightSettings
from training.votes.retraining_set import Example

QUERY = "Nike shoes are very [MASK]."
REPLAY_SENTENCES = ReplaySentences(
    texts=("nike shoes are very good", "the boots are soft and warm", "it was late", "these socks are new")
    * 4,
    praise=("These boots are [MASK].", "She loves her [MASK] jacket."),
    blame=(("They are not [MASK].", "heavy"), ("It was too [MASK].", "tight")),
    others=("the box is [MASK].",),
)
HELD = ["They are not [MASK].", "It was too [MASK].", "the box is [MASK]."]
SETTINGS = NightSettings(
    learning_rate=1e-3, min_steps=40, max_steps=40, batch_examples=4, replay_examples=4, anchor_examples=3
)


def logits_at(model: MaskedLm, query: str) -> torch.Tensor:
    encoder = Encoder(model.tokenizer, max_tokens=48)
    encoded = encoder.encode(query)
    with torch.no_grad():
        rows: torch.Tensor = model.eval()(torch.tensor([encoded.ids]), None, torch.tensor(encoded.masks))
    return rows  # (masks, vocabulary)


def ranked(model: MaskedLm, query: str, *, mask_index: int = 0) -> list[str]:
    order = logits_at(model, query)[mask_index].argsort(descending=True)
    words = {token: word for word, token in model.tokenizer.get_vocab().items()}
    return [words[int(token)] for token in order if words[int(token)].isalpha()]


def tuned(model: MaskedLm, examples: list[Example], **changed: Any) -> list[LossPoint]:
    ids = model.tokenizer.get_vocab()
    arguments: dict[str, Any] = {
        "token_of": lambda word: ids.get(word) if word.isalpha() else None,
        "offered": [token for word, token in ids.items() if word.isalpha()],
        "replay_sentences": REPLAY_SENTENCES,
        "settings": SETTINGS,
        "shown_words": 5,
        "device": torch.device("cpu"),
        "progress": NoProgress(),
    }
    return fine_tune(model, examples, **{**arguments, **changed})


def example(wanted: list[str], unwanted: list[str], *, query: str = QUERY, mask_index: int = 0) -> Example:
    return Example(query, "h", mask_index, tuple((w, 1.0) for w in wanted), tuple((w, 1.0) for w in unwanted))


def test_a_rejected_word_leaves_the_best_and_an_accepted_one_joins_them(masked_lm: MaskedLm) -> None:
    before = ranked(masked_lm, QUERY)
    rejected, accepted = before[0], before[25]
    points = tuned(masked_lm, [example([accepted], [rejected])])
    after = ranked(masked_lm, QUERY)
    assert after.index(rejected) >= 5
    assert after.index(accepted) < 5
    assert points[-1].loss < points[0].loss
    assert next(masked_lm.parameters()).device.type == "cpu"


@pytest.mark.parametrize("kind", ["roberta", "modernbert", "mpnet"])
def test_every_family_learns_what_was_voted(kind: str) -> None:
    tokenizer = tiny_tokenizer()
    pad, size = tokenizer.token_to_id("[PAD]"), tokenizer.get_vocab_size()
    model = MaskedLm(family(kind, pad_token_id=pad, vocab_size=size), tokenizer, base=kind)
    words = model.architecture.projection.weight.clone()
    before = ranked(model, QUERY)
    tuned(model, [example([before[25]], [before[0]])])
    after = ranked(model, QUERY)
    assert after.index(before[0]) >= 5
    assert after.index(before[25]) < 5
    assert torch.equal(model.architecture.projection.weight, words)  # frozen
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_anchored_queries_move_less_than_voted_ones(masked_lm: MaskedLm) -> None:
    before = copy.deepcopy(masked_lm)
    tuned(masked_lm, [example([], [ranked(masked_lm, QUERY)[0]])])

    def moved(query: str) -> float:
        old, new = (torch.log_softmax(logits_at(m, query), dim=-1) for m in (before, masked_lm))
        return float((old.exp() * (old - new)).sum())

    assert moved(QUERY) > 3 * max(moved(query) for query in HELD)


def shift_for(model: MaskedLm) -> OutputShift:
    """Good: soft; bad: ugly; applied everywhere."""
    ids = model.tokenizer.get_vocab()
    shifts = torch.zeros(len(model.architecture.projection.bias))
    shifts[ids["soft"]], shifts[ids["ugly"]] = 1.0, -2.0
    good, bad = torch.tensor([ids["soft"]]), torch.tensor([ids["ugly"]])
    return OutputShift(good, bad, shifts, torch.zeros(model.shape.hidden_size), torch.tensor(50.0))


def test_praise_and_blame_teach_which_side_a_sentence_asks_for(masked_lm: MaskedLm) -> None:
    """The voted queries themselves teach nothing here, so that what is carried shows alone."""
    ids = masked_lm.tokenizer.get_vocab()
    before = copy.deepcopy(masked_lm)
    masked_lm.shift = shift_for(masked_lm)
    objective = replace(DEFAULT_OBJECTIVE, votes_loss=lambda logits, *_: 0.0 * logits.sum())
    weights = {"praise_weight": 1.0, "blame_weight": 1.0, "side_anchor_weight": 0.0, "blame_lm_weight": 0.0}
    settings = SETTINGS.model_copy(update={"min_steps": 150, "max_steps": 150, **weights})
    tuned(masked_lm, [example(["soft"], ["ugly"])], objective=objective, settings=settings)
    masked_lm.shift = None

    def side(model: MaskedLm, query: str) -> float:
        logits = logits_at(model, query)[0]
        return float(logits[ids["soft"]] - logits[ids["ugly"]])

    def gap(model: MaskedLm) -> float:
        least_praise = min(side(model, query) for query in REPLAY_SENTENCES.praise)
        return least_praise - max(side(model, query) for query, _ in REPLAY_SENTENCES.blame)

    assert gap(masked_lm) > max(0.0, gap(before))


def test_a_word_that_was_rejected_here_falls_although_the_shift_raises_it(masked_lm: MaskedLm) -> None:
    rejected = ranked(masked_lm, QUERY)[0]
    shift = shift_for(masked_lm)
    token = masked_lm.tokenizer.get_vocab()[rejected]
    shift.shifts[token] = 3.0
    masked_lm.shift = replace(shift, good=torch.tensor([token]))
    assert ranked(masked_lm, QUERY).index(rejected) == 0
    tuned(masked_lm, [example([], [rejected])])
    assert ranked(masked_lm, QUERY).index(rejected) >= 5
    assert masked_lm.shift.shifts.device.type == "cpu"


def test_only_the_mask_that_was_voted_on_is_taught(masked_lm: MaskedLm) -> None:
    query = "[MASK] shoes are very [MASK]."
    rejected = ranked(masked_lm, query, mask_index=1)[0]
    tuned(masked_lm, [example([], [rejected], query=query, mask_index=1)])
    assert ranked(masked_lm, query, mask_index=1).index(rejected) >= 5


def test_the_same_seed_gives_the_same_weights(masked_lm: MaskedLm) -> None:
    # Copies both: sums over memory that is aligned otherwise, as a loaded file's is, differ in the last bit.
    one, other = copy.deepcopy(masked_lm), copy.deepcopy(masked_lm)
    votes = [example(["soft"], ["ugly"]), example([], ["cheap"], query="The boots were [MASK].")]
    assert tuned(one, votes) == tuned(other, votes)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name])


@pytest.mark.parametrize(
    "examples",
    [
        [],
        [example(["unheard-of"], ["42"])],  # no token of the model
        [example(["soft"], [], mask_index=5)],  # no such mask
    ],
)
def test_examples_that_cannot_be_learnt_leave_the_model_unchanged(
    masked_lm: MaskedLm, examples: list[Example]
) -> None:
    before = copy.deepcopy(masked_lm.state_dict())
    assert tuned(masked_lm, examples) == []
    for name, weight in before.items():
        assert torch.equal(weight, masked_lm.state_dict()[name])
