"""What the gate is told: counts on voted queries and changes, by models with known answers."""

from typing import Any

import pytest
from oracles import oracle

from training import judging
from training.fill_model import FillModel
from training.gate import Voted
from training.judging import Judge, changes
from training.retraining_set import Example, RetrainingSet

BEFORE = oracle(cheap=0.4, ugly=0.2, comfortable=0.1, soft=0.05, great=0.04, poor=0.03, late=0.02)
AFTER = oracle(comfortable=0.4, soft=0.2, great=0.1, poor=0.05, late=0.04, cheap=0.03, ugly=0.02)


def example(
    wanted: list[str], unwanted: list[str], *, query: str = "It is [MASK].", mask_index: int = 0
) -> Example:
    return Example(query, "h", mask_index, tuple((w, 1.0) for w in wanted), tuple((w, 1.0) for w in unwanted))


def chosen(*examples: Example, held_out: tuple[Example, ...] = ()) -> RetrainingSet:
    return RetrainingSet(examples, held_out, "hash")


def test_voted_words_within_the_top_five_are_counted() -> None:
    examples = [
        example(["comfortable", "late", "unheard"], ["cheap"]),
        example(["poor"], ["ugly", "cheap", "42"], query="[MASK] is [MASK].", mask_index=1),
    ]
    # Before: cheap ugly comfortable soft great. After: comfortable soft great poor late. Words that cannot be
    # said count nowhere.
    assert judging._voted(BEFORE, examples) == Voted(unwanted_at_5=3, wanted_at_5=1, unwanted=3, wanted=3)
    assert judging._voted(AFTER, examples) == Voted(unwanted_at_5=0, wanted_at_5=3, unwanted=3, wanted=3)


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
    # with the rest, whose lower ids go before). A query that nobody wants a word for says nothing.
    assert judging._hit_changes(wide, AFTER, examples) == [0.0, 1.0, -1.0]


def test_the_report_shows_words_before_and_after() -> None:
    (change,) = changes(BEFORE, AFTER, chosen(example(["soft"], [])))
    assert change == {
        "query": "It is [MASK].",
        "mask_index": 0,
        "before": ["cheap", "ugly", "comfortable", "soft", "great"],
        "after": ["comfortable", "soft", "great", "poor", "late"],
    }


def judged(
    challenger: FillModel, monkeypatch: pytest.MonkeyPatch, **changed: Any
) -> tuple[Any, dict[str, Any]]:
    monkeypatch.setattr(judging, "_latency_ratio", lambda *_: 1.0)  # no test of the clock
    votes = chosen(example(["comfortable"], ["cheap"]))
    arguments: dict[str, Any] = {"domain": BEFORE, "champion": BEFORE, "rolled_back": set(), **changed}
    return Judge(votes, **arguments).verdict(challenger)


def reasons(verdict: Any) -> dict[str, bool]:
    return {reason.name: reason.passed for reason in verdict.reasons}


def test_a_challenger_is_judged_on_all_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, metrics = judged(AFTER, monkeypatch)
    assert reasons(verdict)["learnt"]
    assert not reasons(verdict)["drift"]  # it answers everything otherwise
    assert metrics["voted"]["challenger"] == {
        "unwanted_at_5": 0,
        "wanted_at_5": 1,
        "unwanted": 1,
        "wanted": 1,
    }
    assert metrics["drift_nats"] > 0.1


def test_the_same_model_has_learnt_nothing_and_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, metrics = judged(BEFORE, monkeypatch)
    assert [name for name, passed in reasons(verdict).items() if not passed] == ["learnt"]
    assert metrics["drift_nats"] == pytest.approx(0.0, abs=1e-4)
    assert metrics["top10_kept"] == 1.0


def test_what_was_rolled_back_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, _ = judged(AFTER, monkeypatch, rolled_back={"hash"})
    assert not reasons(verdict)["rolled back"]


def test_latency_is_a_ratio(fill_model: FillModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "LATENCY_QUERIES", 3)
    ticks = iter(range(10_000))
    monkeypatch.setattr(judging.time, "process_time", lambda: float(next(ticks)))
    assert judging._latency_ratio(fill_model, fill_model, ["It is [MASK]."] * 5) == 1.0
