"""Measurements of a challenger that passes the gate, with any of them changed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from training.evaluation.drift import Drift
from training.evaluation.gate import Behaviour, HeldOut, Measurements, Skills
from training.evaluation.judged_words import Contradictions, Learnt, Placed

Places = Sequence[tuple[int, int]]  # before and after


def learnt(wanted: Places = (), unwanted: Places = (), *, shown_words: int = 5) -> Learnt:
    """Judged words by their places before and after."""
    words = [
        Placed("Nike shoes are [MASK].", f"word{number}", is_wanted, before, after)
        for number, (is_wanted, (before, after)) in enumerate(
            [*((True, places) for places in wanted), *((False, places) for places in unwanted)]
        )
    ]
    return Learnt(tuple(words), shown_words)


SHARES = {"control": 0.8, "retention": 0.9, "praise": 0.7}
SKILLS = Skills(SHARES, pseudo_perplexity=20.0, latency_ratio=10.0)
PASSING = Measurements(
    learnt=learnt(wanted=[(2, 1), (9, 8), (20, 12)], unwanted=[(1, 7), (4, 4), (8, 9), (30, 40)]),
    contradictions=Contradictions(judged=4, accepted=0),
    domain_skills=SKILLS,
    challenger_skills=SKILLS,
    added_latency_s=1.0,
    drift=Drift(nats=0.0, top10_kept=1.0, masks=136),
    behaviour=Behaviour(tests=30, skipped=0),
    denied=24,
    denied_offered=(),
    held_out=HeldOut(judgements=30, hit_changes=(0.0,) * 10),
    rolled_back=2,
    was_rolled_back=False,
)


def skills(**changed: Any) -> Skills:
    """The domain model's, except for the changed shares of suites and other figures."""
    shares = {suite: changed.pop(suite, share) for suite, share in SHARES.items()}
    return replace(SKILLS, wanted_shares=shares, **changed)
