"""The measurements for the gate, from models with known answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.oracles import oracle
from support.vocabularies import speaker

from training.errors import BehaviourError
from training.evaluation import behaviour_tests, candidate
from training.evaluation import metrics as evaluate
from training.evaluation.candidate import CandidateEvaluation, changes
from training.inference.fill_model import FillModel
from training.votes.retraining_set import Example, RetrainingSet

BEFORE = speaker(
    {"cheap": 0.4, "ugly": 0.2, "comfortable": 0.1, "soft": 0.05, "great": 0.04, "poor": 0.03, "late": 0.02}
)
AFTER = speaker(
    {"comfortable": 0.4, "soft": 0.2, "great": 0.1, "poor": 0.05, "late": 0.04, "cheap": 0.03, "ugly": 0.02}
)


def example(
    wanted: list[str], unwanted: list[str], *, query: str = "It is [MASK].", mask_index: int = 0
) -> Example:
    return Example(query, "h", mask_index, tuple((w, 1.0) for w in wanted), tuple((w, 1.0) for w in unwanted))


def chosen(*examples: Example, held_out: tuple[Example, ...] = ()) -> RetrainingSet:
    return RetrainingSet(examples, held_out, "hash")


def voted(*examples: Example, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = judged(AFTER, monkeypatch, votes=chosen(*examples), **changed)[1][
        "voted"
    ]
    return found


def test_voted_words_within_the_top_five_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [
        example(["comfortable", "late", "unheard"], ["cheap"]),
        example(["poor"], ["ugly", "cheap", "42"], query="[MASK] is [MASK].", mask_index=1),
    ]
    # Before: cheap ugly comfortable soft great. After: comfortable soft great poor late. Words that cannot be
    # said count nowhere.
    assert voted(*examples, monkeypatch=monkeypatch) == {
        "champion": {"unwanted_shown": 3, "wanted_shown": 1, "unwanted": 3, "wanted": 3},
        "challenger": {"unwanted_shown": 0, "wanted_shown": 3, "unwanted": 3, "wanted": 3},
    }


@pytest.mark.parametrize(("shown_words", "wanted"), [(3, 1), (4, 2), (5, 3)])
def test_the_number_of_shown_words_decides_which_count(
    shown_words: int, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = [example(["comfortable", "poor", "late"], ["cheap"])]
    found = voted(*examples, monkeypatch=monkeypatch, shown_words=shown_words)["challenger"]
    assert found == {"unwanted_shown": 0, "wanted_shown": wanted, "unwanted": 1, "wanted": 3}


def test_words_that_moved_against_the_votes_are_reported_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _, metrics = judged(AFTER, monkeypatch, votes=chosen(example(["cheap", "soft"], ["comfortable", "ugly"])))
    assert metrics["wrong_way"] == [
        {
            "query": "It is [MASK].",
            "word": word,
            "is_wanted": is_wanted,
            "before": before,
            "after": after,
            "is_lost": is_lost,
        }
        for word, is_wanted, before, after, is_lost in (
            ("cheap", True, 1, 6, True),
            ("comfortable", False, 3, 1, False),
        )
    ]


def test_a_word_that_only_wanted_words_replace_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = ["comfortable", "soft", "great", "poor", "late"]
    _, metrics = judged(AFTER, monkeypatch, votes=chosen(example([*shown, "cheap"], [])))
    assert [word["is_lost"] for word in metrics["wrong_way"] if word["word"] == "cheap"] == [False]


def test_the_praise_suite_does_not_judge_words_that_the_team_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A team that does not want "comfortable" is not refused because our suite wants it."""
    before = speaker({"comfortable": 0.4, "great": 0.2, "soft": 0.1, "ugly": 0.1})
    after = speaker({"great": 0.4, "soft": 0.2, "ugly": 0.1, "comfortable": 0.01})
    taste = chosen(example(["great"], ["comfortable"]))
    _, metrics = judged(after, monkeypatch, votes=taste, domain=before, champion=before)
    assert metrics["challenger"]["praise"] > metrics["domain"]["praise"]
    unrelated = chosen(example(["late"], ["cheap"]))
    _, metrics = judged(after, monkeypatch, votes=unrelated, domain=before, champion=before)
    assert metrics["challenger"]["praise"] < metrics["domain"]["praise"]


def test_shipped_behaviour_tests_that_contradict_the_team_are_set_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (minimum, *_) = behaviour_tests.read_behaviour(behaviour_tests.shipped())
    assert isinstance(minimum, behaviour_tests.Minimum)
    rejected = chosen(example(["late"], list(minimum.any_of or ())))
    _, metrics = judged(AFTER, monkeypatch, votes=rejected)
    assert minimum.name in metrics["behaviour"]["set_aside"]
    assert judged(AFTER, monkeypatch)[1]["behaviour"]["set_aside"] == ()


def test_hits_on_held_out_queries_change_by_one_at_most() -> None:
    wide = oracle(
        **dict.fromkeys(["cheap", "ugly", "good", "bad", "nice", "new", "old", "red", "green", "blue"], 0.08)
    )
    examples = [
        example(["cheap"], []),
        example(["comfortable"], []),
        example([], ["ugly"]),
        example(["red"], []),
    ]
    # hit@10 of `wide`: cheap yes, comfortable no, red yes; AFTER: cheap yes, comfortable yes, red no (it ties
    # with the rest, whose lower ids go before). A query without a wanted word does not count.
    assert candidate._hit_changes(wide, AFTER, examples) == [0.0, 1.0, -1.0]


def test_the_report_shows_words_before_and_after() -> None:
    (change,) = changes(BEFORE, AFTER, chosen(example(["soft"], [])), shown_words=5)
    assert change == {
        "query": "It is [MASK].",
        "mask_index": 0,
        "before": ["cheap", "ugly", "comfortable", "soft", "great"],
        "after": ["comfortable", "soft", "great", "poor", "late"],
    }


def test_moved_words_are_counted_over_all_judged_queries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held_out = (example([], ["ugly"], query="Held out is [MASK]."),)
    votes = chosen(*(example(["late"], [], query=f"{n} is [MASK].") for n in range(30)), held_out=held_out)
    _, metrics = judged(AFTER, monkeypatch, votes=votes)
    assert metrics["moved_words"] == {
        "queries": 31,
        "changed": 31,
        "came": {"late": 31, "poor": 31},
        "went": {"cheap": 31, "ugly": 31},
    }


def judged(
    challenger: FillModel, monkeypatch: pytest.MonkeyPatch, **changed: Any
) -> tuple[Any, dict[str, Any]]:
    monkeypatch.setattr(
        candidate, "_slowdown", lambda *_: candidate.Slowdown(1.0, 0.0)
    )  # no test of the clock
    arguments: dict[str, Any] = {
        "votes": chosen(example(["comfortable"], ["cheap"])),
        "domain": BEFORE,
        "champion": BEFORE,
        "rolled_back": set(),
        "shown_words": 5,
        **changed,
    }
    return CandidateEvaluation(arguments.pop("votes"), **arguments).verdict(challenger)


def reasons(verdict: Any) -> dict[str, bool]:
    return {reason.name: reason.passed for reason in verdict.reasons}


def test_a_verdict_has_all_criteria(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, metrics = judged(AFTER, monkeypatch)
    assert reasons(verdict)["learnt"]
    assert not reasons(verdict)["drift"]  # it answers everything otherwise
    assert metrics["voted"]["challenger"] == {
        "unwanted_shown": 0,
        "wanted_shown": 1,
        "unwanted": 1,
        "wanted": 1,
    }
    assert metrics["drift_nats"] > 0.1


def test_an_unchanged_model_neither_learns_nor_harms(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, metrics = judged(BEFORE, monkeypatch)
    assert [name for name, passed in reasons(verdict).items() if not passed] == ["learnt"]
    assert metrics["drift_nats"] == pytest.approx(0.0, abs=1e-4)
    assert metrics["top10_kept"] == 1.0
    assert set(metrics["moved"]) == {"control", "retention", "texts"}
    assert metrics["wanted_share_change"]["praise"] == [0.0, 0.0]
    assert metrics["behaviour"]["new_failures"] == ()
    assert metrics["domain"]["praise"] == metrics["challenger"]["praise"]


def test_a_model_taught_to_blame_the_products_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    flipped = chosen(example(["cheap", "ugly", "poor"], ["comfortable", "soft"]))
    verdict, _ = judged(BEFORE, monkeypatch, votes=flipped, domain=AFTER, champion=AFTER)
    assert reasons(verdict)["learnt"]  # it says what was asked for
    assert not reasons(verdict)["contradictions"]
    assert not verdict.is_helped_by_smaller_step


def test_blame_in_place_of_praise_by_words_without_votes_does_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    votes = chosen(example(["cheap"], ["late"]))
    verdict, metrics = judged(BEFORE, monkeypatch, votes=votes, domain=AFTER, champion=AFTER)
    assert not reasons(verdict)["praise"]
    assert not verdict.is_helped_by_smaller_step
    assert metrics["wanted_share_change"]["praise"][1] < -0.02


def test_voted_queries_are_not_neutral(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = evaluate.read_suite(evaluate.suites_folder() / "retention.jsonl")
    votes = chosen(*(example(["comfortable"], ["cheap"], query=case.text.upper()) for case in suite[1:]))
    _, metrics = judged(BEFORE, monkeypatch, votes=votes)
    assert metrics["moved"]["retention"]["masks"] == 1


def test_the_teams_behaviour_tests_replace_the_shipped_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "behaviour.yaml"
    shipped = judged(AFTER, monkeypatch, behaviour=own)[1]["behaviour"]
    assert shipped == judged(AFTER, monkeypatch)[1]["behaviour"]
    own.write_text('minimum: [{name: thrift, text: "It is [MASK].", any_of: cheap, top: 3}]')
    verdict, metrics = judged(AFTER, monkeypatch, behaviour=own)
    assert not reasons(verdict)["behaviour"]
    assert (metrics["behaviour"]["tests"], metrics["behaviour"]["skipped"]) == (1, 0)
    assert metrics["behaviour"]["new_failures"] == ('thrift ("cheap" is number 6 and must be in the top 3)',)
    own.write_text("minimum: thrift")
    with pytest.raises(BehaviourError, match="minimum"):
        judged(AFTER, monkeypatch, behaviour=own)


def test_held_out_judgements_count_from_thirty(monkeypatch: pytest.MonkeyPatch) -> None:
    few = chosen(example(["comfortable"], ["cheap"]), held_out=(example(["comfortable"], ["cheap"]),) * 14)
    enough = chosen(*few.train, held_out=few.held_out[:1] * 15)
    for votes, has_data in ((few, False), (enough, True)):
        verdict, _ = judged(AFTER, monkeypatch, votes=votes)
        (reason,) = (reason for reason in verdict.reasons if reason.name == "held-out")
        assert (reason.has_data, reason.passed) == (has_data, True)


def test_a_rolled_back_set_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, _ = judged(AFTER, monkeypatch, rolled_back={"hash"})
    assert not reasons(verdict)["rolled back"]


def test_speed_is_compared_at_the_same_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[FillModel] = []
    monkeypatch.setattr(
        candidate, "_slowdown", lambda before, *_: compared.append(before) or candidate.Slowdown(1.0, 0.0)
    )
    domain, challenger, alike = (speaker({"cheap": 0.4, "soft": 0.3}) for _ in range(3))
    domain.precision, challenger.precision = "int8", "fp32"
    challenger.agreement = {"top1": 0.933, "shown": 0.96, "masks": 269}
    evaluation = CandidateEvaluation(
        chosen(example(["soft"], ["cheap"])), domain=domain, champion=domain, rolled_back=(), shown_words=5
    )
    verdict, metrics = evaluation.verdict(challenger, domain_alike=alike)
    assert compared == [alike]
    assert reasons(verdict)["latency"]
    assert metrics["precision_note"]["text"].startswith(
        "it serves in fp32, which is slower, because in int8 93.3%"
    )
    evaluation.verdict(domain)
    assert compared == [alike, domain]


def test_latency_is_that_of_the_fastest_round_of_each_query(
    fill_model: FillModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each round one of three queries is slow after the change, another one each time."""
    rounds = [[(1, 9), (1, 1), (1, 1)], [(1, 1), (1, 9), (1, 1)], [(1, 1), (1, 1), (1, 9)]]  # seconds
    taken = iter([seconds for queries in rounds for pair in queries for seconds in pair] + [1, 1] * 100)

    def ticks() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += next(taken)
            yield now

    clock = ticks()
    monkeypatch.setattr(candidate, "LATENCY_QUERIES", 3)
    monkeypatch.setattr(candidate.time, "process_time", lambda: next(clock))
    slowdown = candidate._slowdown(fill_model, fill_model, ["It is [MASK]."] * 5, 5)
    assert slowdown == candidate.Slowdown(1.0, 0.0)
    assert len(list(taken)) == 200 + 6, "the third round was not needed"
