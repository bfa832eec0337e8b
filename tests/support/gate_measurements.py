"""Measurements of a challenger that passes the gate, with any of them changed."""

from dataclasses import replace
from typing import Any

from training.evaluation.drift import Drift
from training.evaluation.gate import Behaviour, HeldOut, Measurements, Skills, VotedWords

BEFORE = VotedWords(unwanted_shown=2, wanted_shown=1, unwanted=4, wanted=3)
BETTER = VotedWords(unwanted_shown=1, wanted_shown=1, unwanted=4, wanted=3)
SHARES = {"control": 0.8, "retention": 0.9, "praise": 0.7}
SKILLS = Skills(SHARES, pseudo_perplexity=20.0, latency_ratio=10.0)
PASSING = Measurements(
    shown_words=5,
    champion=BEFORE,
    challenger=BETTER,
    domain_skills=SKILLS,
    challenger_skills=SKILLS,
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
