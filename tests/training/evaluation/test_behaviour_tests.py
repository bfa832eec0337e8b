"""The three kinds of behaviour tests at their thresholds, and invalid files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from support.oracles import Oracle

from training.errors import BehaviourError
from training.evaluation.behaviour_tests import (
    Direction,
    Invariance,
    Minimum,
    Result,
    new_failures,
    read_behaviour,
    run_behaviour,
    shipped,
)
from training.inference.encoder import Encoded
from training.inference.fill_model import FillModel
from training.models.writing import export_base

BASE = (Path(__file__).parents[4] / "shared/models/support-base").resolve()


class Moody(Oracle):
    """Answers otherwise where a text holds a certain word."""

    def __init__(self, trigger: str, calm: dict[str, float], moved: dict[str, float]) -> None:
        super().__init__(calm)
        self.trigger, self.moved = self.encoder.words.ids[trigger], Oracle(moved).row

    def log_probabilities(self, encoded: Sequence[Encoded]) -> list[np.ndarray]:
        return [
            np.stack([self.moved if self.trigger in query.ids else self.row] * len(query.masks))
            for query in encoded
        ]

    word_of = FillModel.word_of


def moody(trigger: str, calm: dict[str, float], moved: dict[str, float]) -> FillModel:
    return cast("FillModel", Moody(trigger, calm, moved))


NAMES = ("cheap", "comfortable", "ugly", "soft", "great", "poor")
SHARES = dict(zip(NAMES, (0.3, 0.2, 0.15, 0.1, 0.08, 0.07), strict=True))  # the others share a tenth
RANKED = moody("[UNK]", SHARES, SHARES)


def of_one(model: FillModel, test: Any) -> Result | None:
    (result,) = run_behaviour(model, [test])
    return result


def outcome(model: FillModel, test: Any) -> str:
    result = of_one(model, test)
    assert result is not None
    return result.outcome


def minimum(**fields: Any) -> Minimum:
    return Minimum.model_validate({"name": "m", "text": "It is [MASK].", "top": 3, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"any_of": "ugly"}, "passed"),  # the third of three
        ({"any_of": "poor, cheap"}, "passed"),  # the best of them counts
        # The fourth: ln(0.15 / 0.1) = 0.41 nats below the bar.
        ({"any_of": "soft"}, "failed"),
        # The fifth of four: ln(0.1 / 0.08) = 0.22 nats, a difference that training makes by chance.
        ({"any_of": "great", "top": 4}, "borderline"),
        ({"none_of": "poor"}, "passed"),
        ({"none_of": "great", "top": 4}, "passed"),
        # The fourth of four: to be out it would have to fall below the fifth, ln(0.1 / 0.08).
        ({"none_of": "soft", "top": 4}, "borderline"),
        ({"none_of": "poor, cheap"}, "failed"),  # ln(0.3 / 0.1)
        ({"any_of": "cheap", "none_of": "comfortable", "top": 1}, "passed"),
        ({"any_of": "cheap", "none_of": "comfortable", "top": 3}, "failed"),
        ({"any_of": "poor, unheard", "top": 6}, "passed"),  # a word it cannot say is left out
    ],
)
def test_minimum_looks_at_the_best_words(fields: dict[str, Any], expected: str) -> None:
    assert outcome(RANKED, minimum(**fields)) == expected


@pytest.mark.parametrize("fields", [{"any_of": "unheard"}, {"none_of": "##s, unheard"}])
def test_a_test_without_a_known_word_is_skipped(fields: dict[str, Any]) -> None:
    assert of_one(RANKED, minimum(**fields)) is None
    direction = Direction(
        name="d", before="It is [MASK].", after="It is not [MASK].", words=["unheard"], moves="up"
    )
    assert of_one(RANKED, direction) is None


def test_the_text_of_a_minimum_has_its_numbers() -> None:
    result = of_one(RANKED, minimum(name="praise", any_of="poor, soft", none_of="cheap"))
    assert result == Result(
        "praise",
        "failed",
        '"soft" is number 4 and must be in the top 3; "cheap" is number 1 and must not be in the top 3',
    )
    assert not result.passed


def invariance(keep: int) -> Invariance:
    texts = ["Nike shoes are [MASK].", "The shoes are [MASK].", "My old shoes are [MASK]."]
    return Invariance(name="brand", texts=texts, keep=keep)


@pytest.mark.parametrize(("keep", "expected"), [(2, "passed"), (3, "borderline"), (4, "failed")])
def test_invariance_counts_the_best_words_that_two_texts_share(keep: int, expected: str) -> None:
    first = dict.fromkeys(["cheap", "ugly", "soft", "great", "poor"], 0.18)
    old = dict.fromkeys(["cheap", "ugly", "warm", "light", "heavy"], 0.18)
    assert outcome(moody("old", first, old), invariance(keep)) == expected


def test_invariance_reports_the_text_that_shares_the_fewest() -> None:
    first = dict.fromkeys(["cheap", "ugly", "soft", "great", "poor"], 0.18)
    old = dict.fromkeys(["cheap", "ugly", "warm", "light", "heavy"], 0.18)
    result = of_one(moody("old", first, old), invariance(5))
    assert result is not None
    assert result.text == (
        '"My old shoes are [MASK]." has 2 of the top 5 of "Nike shoes are [MASK]." and must have 5'
    )


def direction(**fields: Any) -> Direction:
    texts = {"before": "It is [MASK].", "after": "It is not [MASK]."}
    return Direction.model_validate(
        {"name": "not", **texts, "words": "comfortable, soft", "moves": "down", **fields}
    )


@pytest.mark.parametrize(
    ("after", "fields", "expected"),
    [
        (0.3, {}, "passed"),
        (0.4, {}, "passed"),  # nothing moved, and nothing more was asked for
        (0.45, {}, "borderline"),  # the wrong way, by ln(0.45 / 0.4) = 0.12 nats
        (0.6, {}, "failed"),
        (0.6, {"moves": "up"}, "passed"),
        (0.2, {"moves": "up"}, "failed"),
        (0.19, {"times": 2}, "passed"),
        (0.22, {"times": 2}, "borderline"),
        (0.3, {"times": 2}, "failed"),
    ],
)
def test_direction_compares_the_share_of_words(after: float, fields: dict[str, Any], expected: str) -> None:
    model = moody("not", {"comfortable": 0.3, "soft": 0.1}, {"comfortable": after / 4, "soft": after * 3 / 4})
    assert outcome(model, direction(**fields)) == expected


def test_the_text_of_a_direction_has_its_numbers() -> None:
    model = moody("not", {"comfortable": 0.3, "soft": 0.1}, {"comfortable": 0.5})
    result = of_one(model, direction(words="comfortable", times=2))
    assert result is not None
    assert result.text == (
        "the share of comfortable goes from 0.300 to 0.500 and must go down by a factor of 2"
    )


def test_only_a_clear_loss_of_a_passed_test_is_a_new_failure() -> None:
    kinds: tuple[Any, ...] = ("passed", "borderline", "failed", None)
    before = [None if old is None else Result("x", old, "") for old in kinds for _ in kinds]
    after = [None if new is None else Result(f"{old} {new}", new, "") for old in kinds for new in kinds]
    assert [failure.name for failure in new_failures(before, after)] == ["passed failed"]


def test_a_text_that_is_too_long_is_named(fill_model: FillModel) -> None:
    test = minimum(name="novel", text="so " * 60 + "[MASK]", any_of="cheap")
    with pytest.raises(BehaviourError, match=r'team.yaml, "novel": it has 6\d word pieces'):
        run_behaviour(fill_model, [test], path=Path("team.yaml"))


def test_no_tests_have_no_results(fill_model: FillModel) -> None:
    assert run_behaviour(fill_model, []) == []


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "behaviour.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        direction:
          - name: not
            before: "It is [MASK]."
            after: "It is not [MASK]."
            words: [soft, light]
            moves: down
            times: 1.5
        minimum:
          - {name: a, text: "It is [mask].", any_of: "soft,  light"}
        """,
    )
    assert read_behaviour(path) == (
        Minimum(name="a", text="It is [mask].", any_of=["soft", "light"], top=10),
        Direction(
            name="not",
            before="It is [MASK].",
            after="It is not [MASK].",
            words=["soft", "light"],
            moves="down",
            times=1.5,
        ),
    )


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", "", "it contains no tests"),
        ("- name: a", "", "it contains no tests"),
        ("minimum: [", "", "it cannot be read"),
        ("minimal: []", ", minimal", "extra inputs are not permitted"),
        ("minimum: [soft]", ", minimum, entry 1", "valid dictionary"),
        (
            'minimum: [{name: a, text: "[MASK]", any_of: soft}, {name: b, text: "soft", any_of: soft}]',
            ', minimum, entry 2 ("b"), text',
            "it needs exactly one [MASK]",
        ),
        (
            'minimum: [{name: a, text: "[MASK]"}]',
            ', minimum, entry 1 ("a")',
            "it needs any_of, none_of or both",
        ),
        (
            'minimum: [{name: a, text: "[MASK]", any_of: no}]',  # false, to YAML
            ', minimum, entry 1 ("a"), any_of',
            "should be a valid list",
        ),
        (
            'minimum: [{name: a, text: "[MASK]", any_of: "soft,,light"}]',
            ', minimum, entry 1 ("a"), any_of',
            "at least 1 character",
        ),
        ('minimum: [{text: "[MASK]", any_of: soft}]', ", minimum, entry 1, name", "field required"),
        (
            'invariance: [{name: a, texts: ["[MASK]"]}]',
            ', invariance, entry 1 ("a"), texts',
            "at least 2 items",
        ),
        (
            'invariance: [{name: a, texts: ["[MASK]", "soft"]}]',
            ', invariance, entry 1 ("a"), texts',
            "it needs exactly one [MASK]",
        ),
        (
            'direction: [{name: a, before: "[MASK]", after: "[MASK]!", words: soft, moves: left}]',
            ', direction, entry 1 ("a"), moves',
            "'up' or 'down'",
        ),
    ],
)
def test_an_error_in_a_file_is_located(tmp_path: Path, text: str, place: str, reason: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BehaviourError) as caught:
        read_behaviour(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes('minimum: "été"'.encode("latin-1"))
    for path in (tmp_path / "missing.yaml", tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(BehaviourError, match="it cannot be read"):
            read_behaviour(path)


def test_the_shipped_tests_are_valid(fill_model: FillModel) -> None:
    tests = read_behaviour(shipped())
    assert {type(test) for test in tests} == {Minimum, Invariance, Direction}
    assert len(tests) == len({test.name for test in tests}) >= 20
    assert all(len(set(test.queries)) == len(test.queries) for test in tests)


@pytest.mark.skipif(not BASE.is_dir(), reason="needs a pretrained model")
def test_a_plain_pretrained_model_passes_most_of_them() -> None:
    results = run_behaviour(export_base(BASE), read_behaviour(shipped()))
    assert None not in results
    assert sum(result is not None and result.passed for result in results) >= 0.9 * len(results)


@pytest.mark.parametrize("text", ["!!timestamp x", "minimum: 2020-13-45", "!!int x", "[" * 3000, "!!bool x"])
def test_invalid_yaml_is_reported(tmp_path: Path, text: str) -> None:
    with pytest.raises(BehaviourError, match="it cannot be read"):
        read_behaviour(write(tmp_path, text))
