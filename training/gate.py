"""Metrics of champion, challenger and domain model → `Verdict`. Pure.

A challenger is promoted when it learnt what the votes ask for, measured against the champion on the voted
queries, and harms nothing, measured against the domain model: limits against the last champion would add up
night by night.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.bootstrap import interval, means

KEPT = {  # suite → what it is about, and what its wanted_share may lose
    "control": ("complaints and negations", 0.02),
    "retention": ("general English", 0.02),
}
MAX_PERPLEXITY_RATIO = 1.02
MAX_DRIFT_NATS = 0.10  # mean KL(domain ‖ challenger) on neutral masks
MAX_LATENCY_RATIO = 1.10  # p95 of one query
MIN_HELD_OUT = 30  # judgements, for the test on held-out queries to say anything
HARMS = {"control", "retention", "perplexity", "drift", "held-out"}
MIN_HIT_CHANGE = -0.05  # lower 95 % bound of the change of hit@10 on held-out queries


@dataclass(frozen=True, slots=True)
class Voted:
    """The voted queries as a model answers them: counts over all judgements, within the top five."""

    unwanted_at_5: int
    wanted_at_5: int
    unwanted: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Harm:
    """What must not get worse, of one model. Shares in [0, 1], latency in ms."""

    control: float | None
    retention: float | None
    pseudo_perplexity: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Reason:
    """One test of the gate; `text` is for people."""

    name: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer."""

    is_promotable: bool
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """For the card and the `runs` table."""
        return asdict(self)

    @property
    def is_only_harm(self) -> bool:
        """Whether all that speaks against promotion is that it moved too far: a smaller step may pass."""
        failed = {reason.name for reason in self.reasons if not reason.passed}
        return bool(failed) and failed <= HARMS

    @property
    def failures(self) -> list[str]:
        """What spoke against promotion."""
        return [reason.text for reason in self.reasons if not reason.passed]


def decide(
    *,
    champion: Voted,
    challenger: Voted,
    domain_harm: Harm,
    challenger_harm: Harm,
    drift_nats: float,
    denied_offered: Sequence[str],
    hit_changes: Sequence[float],
    was_rolled_back: bool,
) -> Verdict:
    """Compare, test by test.

    Args:
        champion: its answers on the voted queries.
        challenger: the same of the version that wants to serve.
        domain_harm: suites, texts and speed of the domain model.
        challenger_harm: the same of the challenger.
        drift_nats: mean KL(domain ‖ challenger) on neutral masks.
        denied_offered: words of the deny-list that the challenger may offer.
        hit_changes: per held-out judged query, the change of hit@10 from champion to challenger (−1, 0, 1).
        was_rolled_back: this very retraining set was promoted before and rolled back.
    """
    reasons = [_learnt(champion, challenger)]
    reasons += _harms(domain_harm, challenger_harm)
    reasons.append(
        Reason(
            "drift",
            drift_nats <= MAX_DRIFT_NATS,
            f"answers nobody voted on moved by {drift_nats:.3f} nats (limit {MAX_DRIFT_NATS:.2f})",
        )
    )
    if denied_offered:
        reasons.append(Reason("deny-list", False, f"it may offer denied words: {', '.join(denied_offered)}"))
    if len(hit_changes) >= MIN_HELD_OUT:
        low = interval(means(hit_changes)).low
        text = f"on {len(hit_changes)} held-out queries hit@10 changed by at least {low:+.3f}"
        reasons.append(Reason("held-out", low >= MIN_HIT_CHANGE, f"{text} (limit {MIN_HIT_CHANGE:+.2f})"))
    if was_rolled_back:
        text = "a version with the same votes was rolled back before; new votes or a promotion by hand help"
        reasons.append(Reason("rolled back", False, text))
    return Verdict(all(reason.passed for reason in reasons), tuple(reasons))


def decide_domain(*, held_out: Mapping[str, Any], control: Mapping[str, Any]) -> Verdict:
    """Whether nights may start from a domain model: it learnt, and did not become blindly positive.

    Args:
        held_out: `base` and `after`: a part of the held-out text → its figures (`Fit.to_json`).
        control: `base` and `after`: figures on the control suite.
    """
    before, after = (
        float(np.mean([part["loss"] for part in held_out[who].values()])) for who in ("base", "after")
    )
    text = f"held-out text costs {after:.3f} nats a word (base {before:.3f})"
    reasons = [Reason("learnt", after < before, text)]
    reasons += _kept("control", control["base"]["wanted_share"], control["after"]["wanted_share"], "base")
    return Verdict(all(reason.passed for reason in reasons), tuple(reasons))


def _learnt(champion: Voted, challenger: Voted) -> Reason:
    fewer_unwanted = challenger.unwanted_at_5 < champion.unwanted_at_5
    more_wanted = (
        challenger.wanted_at_5 > champion.wanted_at_5 and challenger.unwanted_at_5 <= champion.unwanted_at_5
    )
    text = (
        f"of {challenger.unwanted} rejected words {challenger.unwanted_at_5} are in the top five "
        f"(before: {champion.unwanted_at_5}), of {challenger.wanted} accepted ones {challenger.wanted_at_5} "
        f"(before: {champion.wanted_at_5})"
    )
    if champion.unwanted_at_5 == 0 and champion.wanted_at_5 == champion.wanted:
        text = "the champion already answers as people voted; there is nothing to learn yet"
    return Reason("learnt", fewer_unwanted or more_wanted, text)


def _kept(suite: str, before: float | None, after: float | None, whose: str) -> list[Reason]:
    """The reason about a suite; none where one of the models can say none of its words."""
    if before is None or after is None:
        return []
    what, limit = KEPT[suite]
    text = f"{what}: wanted share {after:.3f} ({whose} {before:.3f}, may lose {limit:.2f})"
    return [Reason(suite, after >= before - limit, text)]


def _harms(domain: Harm, challenger: Harm) -> list[Reason]:
    reasons = _kept("control", domain.control, challenger.control, "domain model")
    reasons += _kept("retention", domain.retention, challenger.retention, "domain model")
    ratio = challenger.pseudo_perplexity / domain.pseudo_perplexity
    reasons.append(
        Reason(
            "perplexity",
            ratio <= MAX_PERPLEXITY_RATIO,
            f"pseudo-perplexity {challenger.pseudo_perplexity:.2f} (domain model "
            f"{domain.pseudo_perplexity:.2f}, may grow by {MAX_PERPLEXITY_RATIO - 1:.0%})",
        )
    )
    slower = challenger.latency_ms / max(domain.latency_ms, 1e-9)
    reasons.append(
        Reason(
            "latency",
            slower <= MAX_LATENCY_RATIO,
            f"a query takes {slower:.2f} × the domain model's time (limit {MAX_LATENCY_RATIO:.2f} ×)",
        )
    )
    return reasons
