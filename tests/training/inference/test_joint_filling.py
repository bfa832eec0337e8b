"""Masks filled together, by tables worked by hand and by a real model."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from support.tiny import tiny_tokenizer

from training.errors import QueryTooLongError
from training.inference import joint_filling, vocabulary
from training.inference.encoder import Encoded, Encoder
from training.inference.fill_model import FillModel
from training.inference.joint_filling import JointAnswer, fill_jointly

# What is said of the masks once those before "/" are filled; "-" is one that is open.
Table = dict[str, list[dict[str, float]]]
BOOTS = "[MASK] boots are [MASK]."
# Apart, "red" and "warm" are the best; but boots that are warm are for the ice, and the red ones are light.
#   together: ice + warm .6 × .9 = .54, red + light .35 × .9 = .315, red + warm .6 × .05 = .03
WEATHER: Table = {
    "- -": [{"red": 0.5, "ice": 0.4}, {"warm": 0.6, "light": 0.35}],
    "- warm": [{"ice": 0.9, "red": 0.05}],
    "- light": [{"red": 0.9, "ice": 0.05}],
    "ice -": [{"warm": 0.95, "light": 0.02}],
    "red -": [{"light": 0.8, "warm": 0.1}],
}


class Reader:
    """Reads its answers from a table, and remembers what it was asked together."""

    version = "v0042"

    def __init__(self, table: Table) -> None:
        self.table = table
        self.encoder = Encoder(tiny_tokenizer(), max_tokens=48)
        self.offered = np.asarray(vocabulary.offered_ids(self.encoder.words))
        self.asked: list[list[str]] = []
        self._masks: dict[int, tuple[int, ...]] = {}  # of a text so long, where its masks were at first

    def log_probabilities(self, encoded: Sequence[Encoded]) -> list[np.ndarray]:
        states = [self._state(one) for one in encoded]
        self.asked.append(states)
        return [
            np.log(np.stack([self._row(row) for row in self._rows(state, len(one.masks))]))
            for state, one in zip(states, encoded, strict=True)
        ]

    def _state(self, one: Encoded) -> str:
        masks = self._masks.setdefault(len(one.ids), one.masks)
        words = [self.encoder.words.tokens[one.ids[at]] for at in masks]
        return " ".join("-" if word == "[MASK]" else word for word in words)

    def _rows(self, state: str, masks: int) -> list[dict[str, float]]:
        return self.table.get(state, self.table.get("else", [{}])[:1] * masks)

    def _row(self, known: dict[str, float]) -> np.ndarray:
        row = np.full(len(self.encoder.words.ids), (1 - sum(known.values())) / len(self.encoder.words.ids))
        for word, probability in known.items():
            row[self.encoder.words.ids[word]] = probability
        return row.astype(np.float32)

    best = FillModel.best
    candidates = FillModel.candidates
    fill = FillModel.fill
    word_of = FillModel.word_of


def reader(table: Table) -> FillModel:
    return cast("FillModel", Reader(table))


def answer(table: Table, query: str = BOOTS, **more: list[frozenset[tuple[int, str]]]) -> JointAnswer:
    return fill_jointly(reader(table), [query], top=3, **more)[0]


def test_words_are_chosen_in_view_of_each_other() -> None:
    apart = reader(WEATHER).fill([BOOTS], top=1)[0]
    assert [mask[0].word for mask in apart] == ["red", "warm"]
    first, second = answer(WEATHER).fillings[:2]
    assert first.words == ("ice", "warm")
    assert first.log_probability == pytest.approx(math.log(0.54))
    assert first.log_probabilities == pytest.approx([math.log(0.9), math.log(0.6)])
    assert second.words == ("red", "light")
    assert second.log_probability == pytest.approx(math.log(0.315))


def test_candidates_are_those_while_the_other_masks_are_as_in_the_best_sentence() -> None:
    left, right = answer(WEATHER).masks
    assert [(c.word, round(c.score, 3)) for c in left[:2]] == [("ice", 0.9), ("red", 0.05)]
    assert [(c.word, round(c.score, 3)) for c in right[:2]] == [("warm", 0.95), ("light", 0.02)]


def test_all_beams_of_all_queries_are_read_together() -> None:
    table = WEATHER | {"- - -": [{"red": 0.3}, {"two": 0.2}, {"old": 0.9}]}
    model = Reader(table)
    fill_jointly(cast("FillModel", model), [BOOTS, "[MASK] boots and [MASK] socks are so [MASK]."], top=1)
    assert model.asked[0] == ["- -", "- - -"]
    assert model.asked[1][:2] == ["- warm", "- light"]  # the surest mask of a query is filled first
    assert model.asked[1][joint_filling.BEAMS] == "- - old"
    passes = [1 + 1, 2 * joint_filling.BEAMS, joint_filling.BEAMS, 2 + 3]
    assert [len(states) for states in model.asked] == passes


def test_the_same_sentence_found_in_two_orders_is_one() -> None:
    table: Table = {
        "- - -": [{"red": 0.5, "ice": 0.4}, {"cheap": 0.2}, {"late": 0.2}],
        "red - -": [{"cheap": 0.6}, {"late": 0.5}],
        "ice - -": [{"cheap": 0.4}, {"late": 0.5}],
        "red cheap -": [{"late": 0.9}],
        "ice - late": [{"cheap": 0.9}],
        "red - late": [{"cheap": 0.9}],
        "ice cheap -": [{"late": 0.9}],
    }
    fillings = answer(table, "[MASK] boots are [MASK] for the [MASK].").fillings
    assert [f.words for f in fillings[:2]] == [("red", "cheap", "late"), ("ice", "cheap", "late")]
    assert fillings[1].log_probability == pytest.approx(math.log(0.4 * 0.5 * 0.9))
    assert len({f.words for f in fillings}) == len(fillings)


@pytest.mark.parametrize(
    ("query", "repeats"),
    [
        ("It is [MASK] [MASK].", False),
        ("It is [MASK] and [MASK].", False),
        ("It is [MASK], [MASK] and [MASK].", False),
        ("[MASK] boots and [MASK] socks.", True),  # "my boots and my socks"
    ],
)
def test_a_word_is_not_repeated_in_one_list_of_words(query: str, repeats: bool) -> None:
    found = answer({"else": [{"very": 0.7, "my": 0.2, "so": 0.05}]}, query)
    assert (len(set(found.fillings[0].words)) < len(found.fillings[0].words)) is repeats
    for mask, candidates in enumerate(found.masks):
        others = set(found.fillings[0].words[:mask] + found.fillings[0].words[mask + 1 :])
        assert bool({c.word for c in candidates} & others) is repeats


def test_a_word_of_the_text_or_of_another_mask_is_not_repeated() -> None:
    table: Table = {"else": [{"boots": 0.6, "warm": 0.2, "light": 0.1}]}
    first, second = answer(table, "[MASK] boots are so very [MASK].").masks
    assert "boots" not in {c.word for c in (*first[:2], *second[:2])}
    found = answer({"else": [{"warm": 0.7, "light": 0.2}]}, "[MASK] is so and so [MASK].")
    assert sorted(found.fillings[0].words) == ["light", "warm"]


def test_what_must_not_be_said_is_neither_in_a_sentence_nor_among_the_candidates() -> None:
    found = answer(WEATHER, unsaid=[frozenset({(1, "warm"), (0, "ice")})])
    assert found.fillings[0].words == ("red", "light")
    assert all(f.words[1] != "warm" and f.words[0] != "ice" for f in found.fillings)
    assert found.masks[1][0].word == "light"
    assert not {c.word for c in found.masks[1]} & {"warm"}


def test_nothing_asked_nothing_answered() -> None:
    assert fill_jointly(reader({}), [], top=3) == []


QUERIES = (
    "[MASK] shoes are [MASK]",
    "The [MASK] boots are [MASK] and [MASK] for my team!",
    "[MASK] [MASK] [MASK] [MASK] [MASK] shoes",
    "Nike shoes are very [MASK]",
)


def test_a_batch_answers_as_each_query_alone(fill_model: FillModel) -> None:
    together = fill_jointly(fill_model, QUERIES, top=3)
    for query, ours in zip(QUERIES, together, strict=True):
        (alone,) = fill_jointly(fill_model, [query], top=3)
        assert [f.words for f in ours.fillings] == [f.words for f in alone.fillings]
        assert [[c.word for c in mask] for mask in ours.masks] == [
            [c.word for c in mask] for mask in alone.masks
        ]


def test_log_probabilities_are_those_of_the_text_with_its_words(
    fill_model: FillModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every branch is followed, the best pair is the best of all pairs."""
    monkeypatch.setattr(joint_filling, "BEAMS", 1000)
    monkeypatch.setattr(joint_filling, "BRANCHES", 1000)
    (found,) = fill_jointly(fill_model, ["this box is [MASK] for my [MASK] team"], top=1)
    (open_rows,) = fill_model.log_probabilities(
        [fill_model.encoder.encode("this box is [MASK] for my [MASK] team")]
    )
    first = int(open_rows[:, fill_model.offered].max(axis=1).argmax())
    expected = {}
    for token in fill_model.offered:
        words = ["[MASK]", "[MASK]"]
        words[first] = fill_model.word_of(int(token))
        text = f"this box is {words[0]} for my {words[1]} team"
        (rows,) = fill_model.log_probabilities([fill_model.encoder.encode(text)])
        (other,) = fill_model.best(rows[0], 1)
        words[1 - first] = fill_model.word_of(other)
        expected[tuple(words)] = float(open_rows[first][token] + rows[0][other])
    best = max(expected, key=lambda pair: expected[pair])
    assert found.fillings[0].words == best
    assert found.fillings[0].log_probability == pytest.approx(expected[best], abs=1e-4)


def test_a_text_at_the_limit_of_length_is_filled(fill_model: FillModel) -> None:
    room = fill_model.encoder.max_tokens - 5  # [CLS], two masks, the period, [SEP]
    (found,) = fill_jointly(fill_model, ["shoes " * room + "[MASK] [MASK]"], top=2)
    assert [len(mask) for mask in found.masks] == [2, 2]
    with pytest.raises(QueryTooLongError):
        fill_jointly(fill_model, ["shoes " * (room + 1) + "[MASK] [MASK]"], top=2)


def test_only_words_that_may_be_offered_are_said_together(fill_model: FillModel) -> None:
    offered = {fill_model.word_of(int(token)) for token in fill_model.offered}
    for found in fill_jointly(fill_model, QUERIES, top=20):
        assert {word for filling in found.fillings for word in filling.words} <= offered
        assert {c.word for mask in found.masks for c in mask} <= offered
