"""Each test of the gate at its limit."""

from dataclasses import replace
from typing import Any

import pytest

from training.gate import Harm, Verdict, Voted, decide

BEFORE = Voted(unwanted_at_5=2, wanted_at_5=1, unwanted=4, wanted=3)
BETTER = Voted(unwanted_at_5=1, wanted_at_5=1, unwanted=4, wanted=3)
HARM = Harm(control=0.8, retention=0.9, pseudo_perplexity=20.0, latency_ms=10.0)


def verdict(**changed: Any) -> Verdict:
    """Of a challenger that passes, but for what is changed."""
    arguments: dict[str, Any] = {
        "champion": BEFORE,
        "challenger": BETTER,
        "domain_harm": HARM,
        "challenger_harm": HARM,
        "drift_nats": 0.0,
        "denied_offered": (),
        "hit_changes": (),
        "was_rolled_back": False,
    }
    return decide(**{**arguments, **changed})


def failed(given: Verdict) -> list[str]:
    return [reason.name for reason in given.reasons if not reason.passed]


def test_a_challenger_that_learnt_and_harms_nothing_is_promotable() -> None:
    given = verdict()
    assert given.is_promotable
    assert given.failures == []
    assert [r.name for r in given.reasons] == [
        "learnt",
        "control",
        "retention",
        "perplexity",
        "latency",
        "drift",
    ]


@pytest.mark.parametrize(
    ("unwanted_at_5", "wanted_at_5", "passes"),
    [
        (2, 1, False),  # nothing changed
        (1, 1, True),  # one rejected word fewer
        (2, 2, True),  # one accepted word more
        (3, 3, False),  # bought with a rejected one
        (1, 0, True),  # fewer rejected words is what people asked for
        (2, 0, False),
    ],
)
def test_learning_is_fewer_rejected_or_more_accepted_words(
    unwanted_at_5: int, wanted_at_5: int, passes: bool
) -> None:
    given = verdict(challenger=replace(BEFORE, unwanted_at_5=unwanted_at_5, wanted_at_5=wanted_at_5))
    assert failed(given) == ([] if passes else ["learnt"])


def test_a_champion_that_answers_as_people_voted_is_said_to() -> None:
    perfect = Voted(unwanted_at_5=0, wanted_at_5=3, unwanted=4, wanted=3)
    assert "nothing to learn yet" in verdict(champion=perfect, challenger=perfect).failures[0]


@pytest.mark.parametrize(
    ("name", "harm", "passes"),
    [
        ("control", {"control": 0.7801}, True),
        ("control", {"control": 0.7799}, False),
        ("control", {"control": 0.95}, True),
        ("retention", {"retention": 0.8801}, True),
        ("retention", {"retention": 0.8799}, False),
        ("perplexity", {"pseudo_perplexity": 20.39}, True),
        ("perplexity", {"pseudo_perplexity": 20.41}, False),
        ("perplexity", {"pseudo_perplexity": float("nan")}, False),
        ("latency", {"latency_ms": 10.99}, True),
        ("latency", {"latency_ms": 11.01}, False),
    ],
)
def test_harm_is_measured_against_the_domain_model(name: str, harm: dict[str, float], passes: bool) -> None:
    assert failed(verdict(challenger_harm=replace(HARM, **harm))) == ([] if passes else [name])


@pytest.mark.parametrize("side", ["domain_harm", "challenger_harm"])
def test_a_suite_that_says_nothing_is_not_judged_by(side: str) -> None:
    given = verdict(**{side: replace(HARM, control=None, retention=None)})
    assert given.is_promotable
    assert not {"control", "retention"} & {reason.name for reason in given.reasons}


@pytest.mark.parametrize(("nats", "passes"), [(0.0999, True), (0.1, True), (0.1001, False)])
def test_drift_has_a_cap(nats: float, passes: bool) -> None:
    assert failed(verdict(drift_nats=nats)) == ([] if passes else ["drift"])


def test_a_denied_word_is_named() -> None:
    given = verdict(denied_offered=["awful", "worse"])
    assert failed(given) == ["deny-list"]
    assert "awful, worse" in given.failures[0]


def test_what_was_rolled_back_is_not_promoted_again() -> None:
    given = verdict(was_rolled_back=True)
    assert failed(given) == ["rolled back"]
    assert "rolled back before" in given.failures[0]


@pytest.mark.parametrize(
    ("hit_changes", "names"),
    [
        ([-1.0] * 29, []),  # too few queries to say anything
        ([-1.0] * 30, ["held-out"]),
        ([0.0] * 30, []),
        ([1.0] * 30, []),
        # One of 30 lost: the mean is −0.033, but its 95 % interval reaches to −0.1.
        ([-1.0, *[0.0] * 29], ["held-out"]),
        # One of 100 lost: the interval reaches to −0.03.
        ([-1.0, *[0.0] * 99], []),
    ],
)
def test_held_out_queries_count_from_thirty_on(hit_changes: list[float], names: list[str]) -> None:
    assert failed(verdict(hit_changes=hit_changes)) == names


def test_the_same_figures_give_the_same_verdict() -> None:
    changes = [1.0, -1.0, 0.0] * 20
    assert verdict(hit_changes=changes) == verdict(hit_changes=changes)


def test_all_failures_are_told_at_once() -> None:
    given = verdict(challenger=BEFORE, drift_nats=1.0, was_rolled_back=True)
    assert failed(given) == ["learnt", "drift", "rolled back"]
    assert not given.is_promotable
    assert len(given.failures) == 3


def test_a_verdict_as_json() -> None:
    content = verdict(drift_nats=0.2).to_json()
    assert content["is_promotable"] is False
    assert {"name", "passed", "text"} == set(content["reasons"][0])
    drift = content["reasons"][-1]
    assert drift == {
        "name": "drift",
        "passed": False,
        "text": "answers nobody voted on moved by 0.200 nats (limit 0.10)",
    }
