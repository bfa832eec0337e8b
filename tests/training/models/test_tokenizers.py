"""Models with each kind of tokenizer: saved and loaded, taught words, exported, asked and fine-tuned."""

from pathlib import Path

import pytest
import torch
from support.families import family
from support.tiny import write_served
from support.tokenizer_kinds import KINDS, UNCASED, tokenizer_folder
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedTokenizerFast

from training.corpus.lexicon import unwanted_words
from training.corpus.replay_sentences import ReplaySentences
from training.finetuning.batches import CorpusBatches
from training.finetuning.fine_tune import fine_tune
from training.finetuning.folding import Folding
from training.finetuning.output_shift import shift_of_votes
from training.inference.encoder import MASK, completed
from training.inference.fill_model import FillModel
from training.inference.joint_filling import fill_jointly
from training.inference.words import Slot, SpecialTokens
from training.models import torch_model
from training.models.torch_model import MaskedLm
from training.progress import NoProgress
from training.settings import NightSettings
from training.votes.retraining_set import Example

CLASSES = {"bert-cased": "bert", "mmbert": "modernbert"}  # of the model, where it has another name
CASED = [kind for kind in KINDS if kind not in UNCASED]
ADDED = ["overlockstitched", "blickdicht", "Wäsche"]


def blank(kind: str) -> MaskedLm:
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(tokenizer_folder(kind))
    model = family(CLASSES.get(kind, kind), vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    special_tokens = SpecialTokens.of(tokenizer)
    return MaskedLm(model, tokenizer.backend_tokenizer, base=kind, special_tokens=special_tokens)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {each: tmp_path_factory.mktemp(each) for each in KINDS}


@pytest.fixture(scope="module")
def served(kind: str, folders: dict[str, Path]) -> FillModel:
    """A model with added words, as it serves."""
    model = blank(kind)
    model.add_words(ADDED)
    model.save(folders[kind])
    write_served(model, folders[kind])
    return FillModel(folders[kind], threads=1)


def test_a_saved_version_is_the_same_to_transformers(
    kind: str, served: FillModel, folders: dict[str, Path]
) -> None:
    theirs = AutoTokenizer.from_pretrained(folders[kind])
    before = AutoTokenizer.from_pretrained(tokenizer_folder(kind))
    assert theirs.mask_token == before.mask_token
    text = f'Nike shoes are very {theirs.mask_token}, "{theirs.mask_token}" schön.'
    ids = theirs(text)["input_ids"]
    assert ids == before(text)["input_ids"]
    model = AutoModelForMaskedLM.from_pretrained(folders[kind]).eval()
    query = served.encoder.encode(text.replace(theirs.mask_token, MASK))
    with torch.no_grad():
        logits = model(torch.tensor([query.ids])).logits[0, list(query.masks)].log_softmax(-1)
    raw = torch_model.load(folders[kind]).eval()
    at = torch.tensor(query.masks)
    with torch.no_grad():
        ours = raw(torch.tensor([query.ids]), None, at)
    torch.testing.assert_close(ours.log_softmax(-1), logits, rtol=1e-4, atol=1e-4)
    (rows,) = served.log_probabilities([query])
    folded = Folding(served.encoder.words, torch.device("cpu")).apply(ours.log_softmax(-1), query.slots)
    offered = served.offered
    torch.testing.assert_close(torch.from_numpy(rows)[:, offered], folded[:, offered], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("word", ADDED)
def test_an_added_word_is_one_token_wherever_it_stands(served: FillModel, word: str) -> None:
    encoder = served.encoder
    word = word if encoder.is_cased else word.lower()
    token = served.token_of(word)
    assert token is not None
    for text in (f"{word} is so good.", f"It is {word} and good.", f"Is it ({word})?", f"so {word}."):
        assert encoder.encode_text(text, 99).count(token) == 1
    masked = encoder.encode(f"It is {MASK} and good.")
    assert list(masked.ids) == [
        encoder.mask if one == token else one for one in encoder.encode_text(f"It is {word} and good.", 99)
    ]


def test_an_added_word_starts_as_the_mean_of_its_pieces(kind: str) -> None:
    model = blank(kind)
    (pieces,) = model.encoder.pieces_of(["blickdicht"])
    assert len(pieces) > 1
    before = [weight.detach().clone() for weight in _tables(model)]
    model.add_words(["blickdicht"])
    token = model.tokenizer.token_to_id("blickdicht")
    for old, new in zip(before, _tables(model), strict=True):
        torch.testing.assert_close(new[token], old[pieces].mean(dim=0))
        torch.testing.assert_close(new[: len(old)], old)


def _tables(model: MaskedLm) -> list[torch.Tensor]:
    output = model.model.get_output_embeddings()
    return [model.model.get_input_embeddings().weight, output.weight, output.bias]


def test_answers_are_words_as_people_write_them(served: FillModel) -> None:
    queries = ["[MASK] shoes are great.", "Nike shoes are very [MASK]", "L'[MASK] ([MASK]) or [MASK]?"]
    for query, masks in zip(queries, served.fill(queries, top=20), strict=True):
        for mask in masks:
            assert len({candidate.word.lower() for candidate in mask}) == 20
        filled = completed(query, [mask[0].word for mask in masks])
        assert not set("Ġ▁#<[") & set(filled)
        assert "  " not in filled
        assert filled[0].isupper()


def test_the_first_word_of_a_sentence_is_the_same_word_as_elsewhere(served: FillModel) -> None:
    words, token = served.encoder.words, served.token_of("comfortable")
    assert token is not None
    for text in ("[MASK] shoes are great.", "Great shoes are [MASK]."):
        (rows,) = served.log_probabilities([served.encoder.encode(text)])
        assert served.word_of(token) == "comfortable"
        assert rows[0, token] > -50
    if words.folds is not None:
        first = words.form(token, Slot.FIRST)
        assert words.text(first) == "Comfortable" or words.token("Comfortable") == token


def test_masks_are_filled_jointly(served: FillModel) -> None:
    query = "[MASK] shoes are [MASK] and l'[MASK]."
    (answer,) = fill_jointly(served, [query], top=5)
    words = answer.fillings[0].words
    assert not set("Ġ▁# ") & set("".join(words))
    (other,) = fill_jointly(served, [query], top=5, unsaid=[frozenset({(0, words[0].upper())})])
    assert other.fillings[0].words[0] != words[0]


def test_a_denied_word_is_gone_in_every_case(served: FillModel) -> None:
    (mask,) = served.fill(["Nike shoes are [MASK]."], top=1)[0]
    word = mask[0].word
    served.deny([word.upper()])
    try:
        (mask,) = served.fill(["Nike shoes are [MASK]."], top=50)[0]
        assert word.lower() not in {candidate.word.lower() for candidate in mask}
        assert served.token_of(word) is None
    finally:
        served.deny([])


def test_whole_words_are_hidden_and_no_special_token_is_put_in_their_place(kind: str) -> None:
    encoder = blank(kind).encoder
    text = "Unwashable comfortable shoes, (overstitched) and good."
    batches = CorpusBatches([text], encoder, batch_examples=1, mask_share=0.3, max_tokens=64, seed=0)
    words = encoder.words_of(text.replace(",", " ").replace("(", " ").replace(")", " "))[1]
    special = {encoder.cls, encoder.sep, encoder.pad}
    hidden_together = 0
    row = batches.rows[0]
    for _ in range(30):
        batch = batches.hide([0])
        assert batch.targets is not None
        ids = batch.input_ids[0].tolist()
        assert (ids[0], ids[-1]) == (row[0], row[-1])
        assert not special & set(ids[1:-1])
        hidden_together += max(len(word) for word in words) <= len(batch.targets)
    assert hidden_together


QUERIES = ("Nike shoes are very [MASK].", "[MASK] shoes are great.")


@pytest.mark.long
def test_votes_are_learnt_whatever_the_form_of_a_word(
    kind: str, served: FillModel, folders: dict[str, Path], tmp_path: Path
) -> None:
    examples, judged = [], []
    for query in QUERIES:
        (mask,) = served.fill([query], top=60)[0]
        rejected, accepted = mask[0].word, mask[40].word
        judged.append((rejected, accepted))
        examples.append(Example(query, query, 0, ((accepted.upper(), 1.0),), ((rejected.upper(), 1.0),)))
    model = torch_model.load(folders[kind])
    sentences = ReplaySentences.generate(seed=0, sentences=200, replayed=50)
    settings = NightSettings(
        learning_rate=2e-3,
        min_steps=100,
        max_steps=100,
        batch_examples=4,
        replay_examples=4,
        anchor_examples=3,
    )
    fine_tune(
        model,
        examples,
        token_of=served.token_of,
        offered=served.offered.tolist(),
        replay_sentences=sentences,
        settings=settings,
        shown_words=5,
        device=torch.device("cpu"),
        progress=NoProgress(),
    )
    write_served(model, tmp_path / "tuned")
    tuned = FillModel(tmp_path / "tuned", threads=1)
    for query, (rejected, accepted), masks in zip(QUERIES, judged, tuned.fill(QUERIES, top=99), strict=True):
        ranked = [candidate.word for candidate in masks[0]]
        assert rejected not in ranked[:5], query
        assert accepted in ranked[:9], query


def test_the_tilt_of_a_word_is_that_of_all_its_forms(
    kind: str, served: FillModel, folders: dict[str, Path]
) -> None:
    bad = next(word for word in sorted(unwanted_words()) if served.token_of(word) is not None)
    shift = shift_of_votes(
        torch_model.load(folders[kind]),
        [Example(QUERIES[0], QUERIES[0], 0, (("Comfortable", 1.0),), ((bad.upper(), 1.0),))] * 5,
        exported=served,
        replay_sentences=ReplaySentences.generate(seed=0, sentences=200, replayed=50),
        preferred=(),
        settings=NightSettings(),
    )
    assert shift is not None
    for word, sign in (("comfortable", 1), (bad, -1)):
        token = served.token_of(word)
        assert token is not None
        shifts = shift.shifts[served.encoder.words.forms(token)] * sign
        assert (shifts > 0).all()
        assert len(set(shifts.tolist())) == 1
