"""How the output shift of a night tells praise from complaints."""

from dataclasses import replace

import torch

from training.corpus.replay_sentences import ReplaySentences
from training.finetuning.output_shift import with_trained_sides
from training.models.output_shift import OutputShift
from training.models.torch_model import MaskedLm

SEEN, UNSEEN = ("soft", "good", "light", "new", "red", "old"), ("warm", "nice")
PRAISE, BLAME = "{} shoes are very [MASK].", "{} shoes are not [MASK]."


def sentences(words: tuple[str, ...]) -> ReplaySentences:
    blame = tuple((BLAME.format(word), "ugly") for word in words)
    return ReplaySentences((), tuple(PRAISE.format(word) for word in words), blame, ())


def by_odds(model: MaskedLm) -> OutputShift:
    zeros = torch.zeros(model.shape.hidden_size)
    ids = torch.tensor([9]), torch.tensor([7])
    return OutputShift(*ids, zeros, zeros, torch.tensor(0.0), zeros, torch.tensor(-3.0), odds_weight=3.0)


def side_of(text: str, model: MaskedLm, shift: OutputShift) -> float:
    query = model.encoder.encode(text)
    inputs = torch.tensor([query.ids]), None, torch.tensor(query.masks)
    with torch.no_grad():
        states = model.states(*inputs)
        logits = model.architecture.states_and_logits(*inputs)[1]
    odds = (logits[:, shift.good] - logits[:, shift.bad]).item()
    return shift.scores(states).side.item() + shift.odds_weight * odds


def test_the_side_of_a_sentence_is_read_from_the_state_of_the_trained_model(masked_lm: MaskedLm) -> None:
    masked_lm.eval()
    shift = with_trained_sides(by_odds(masked_lm), masked_lm, sentences(SEEN), seed=0)
    for word in (*SEEN, *UNSEEN):
        praise, blame = (side_of(text.format(word), masked_lm, shift) for text in (PRAISE, BLAME))
        assert praise > blame


def test_without_sentences_of_both_kinds_the_model_s_own_odds_decide(masked_lm: MaskedLm) -> None:
    shift, both = by_odds(masked_lm), sentences(SEEN)
    for one in (replace(both, praise=()), replace(both, blame=())):
        assert with_trained_sides(shift, masked_lm, one, seed=0) is shift
