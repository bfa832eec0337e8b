"""Metrics of champion, challenger and domain model → `Verdict`. Pure.

A challenger is promoted when it learnt what the votes ask for, measured against the champion on the voted
queries, and harms nothing, measured against the domain model: limits against the last champion would add up
night by night.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.evaluation.confidence_intervals import interval, means
from training.evaluation.drift import Drift

KEPT = {  # suite → what it is about, and what its wanted_share may lose
    "control": ("complaints and negations", 0.02),
    "retention": ("general English", 0.03),
    # Votes of people who teach the opposite are "learnt" as well as any others: this is what gives them away.
    "praise": ("praise of the products", 0.02),
}
MAX_PERPLEXITY_RATIO = 1.02
MAX_DRIFT_NATS = 0.10  # mean KL(domain ‖ challenger) on neutral masks
MIN_OVERLAP = 0.80  # mean share of the domain model's ten best words kept on neutral masks
MAX_LATENCY_RATIO = 1.10  # p95 of one query
MIN_HELD_OUT = 30  # judgements, for the test on held-out queries to say anything
MIN_HIT_CHANGE = -0.05  # lower 95 % bound of the change of hit@10 on held-out queries
# Not among them: praise. What lost it went the wrong way, and a smaller step would go there too.
HARMS = {"control", "retention", "perplexity", "drift", "overlap", "behaviour", "held-out"}
SHOWN_FAILURES = 3  # of the behaviour tests, in the verdict


@dataclass(frozen=True, slots=True)
class Voted:
    """The voted queries as a model answers them: counts over all judgements, within the top five."""

    unwanted_at_5: int
    wanted_at_5: int
    unwanted: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Harm:
    """What must not get worse, of one model.

    Shares in [0, 1], None where it can say no word of the suite; latency in ms.
    """

    control: float | None
    retention: float | None
    praise: float | None
    pseudo_perplexity: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The behaviour suite: tests both models could take, and those that only the challenger fails."""

    tests: int
    skipped: int
    new_failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Judged queries that were not trained on.

    Attributes:
        judgements: how many words of them are judged.
        hit_changes: per query, the change of hit@10 from champion to challenger (−1, 0, 1).
    """

    judgements: int
    hit_changes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """One test of the gate; `text` is for people. A test without data passes and says so."""

    name: str
    passed: bool
    text: str
    has_data: bool = True


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
    moved: Drift | None,
    behaviour: Behaviour,
    denied: int,
    denied_offered: Sequence[str],
    held_out: HeldOut,
    rolled_back: int,
    was_rolled_back: bool,
) -> Verdict:
    """Compare, test by test.

    Args:
        champion: its answers on the voted queries.
        challenger: the same of the version that wants to serve.
        domain_harm: suites, texts and speed of the domain model.
        challenger_harm: the same of the challenger.
        moved: the challenger's answers from the domain model's, on neutral masks; None without any.
        behaviour: the team's tests.
        denied: words of the deny-list.
        denied_offered: those of them that the challenger may offer.
        held_out: judged queries that were not trained on.
        rolled_back: retraining sets whose versions were rolled back.
        was_rolled_back: this very one is among them.
    """
    reasons = (
        _learnt(champion, challenger),
        *_harms(domain_harm, challenger_harm),
        *_movements(moved),
        _behaved(behaviour),
        _clean(denied, denied_offered),
        _generalises(held_out),
        _is_new(rolled_back, was_rolled_back=was_rolled_back),
    )
    return Verdict(all(reason.passed for reason in reasons), reasons)


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
    kept = _kept("control", control["base"]["wanted_share"], control["after"]["wanted_share"], "base")
    reasons = (Reason("learnt", after < before, text), kept)
    return Verdict(all(reason.passed for reason in reasons), reasons)


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
        text = (
            f"the champion already answers as people voted ({champion.wanted} words accepted, "
            f"{champion.unwanted} rejected); there is nothing to learn yet"
        )
    return Reason("learnt", fewer_unwanted or more_wanted, text)


def _kept(suite: str, before: float | None, after: float | None, whose: str) -> Reason:
    what, limit = KEPT[suite]
    if before is None or after is None:
        return Reason(suite, True, f"{what}: the model can say 0 words of the suite", has_data=False)
    text = f"{what}: wanted share {after:.3f} ({whose} {before:.3f}, may lose {limit:.2f})"
    return Reason(suite, after >= before - limit, text)


def _harms(domain: Harm, challenger: Harm) -> list[Reason]:
    reasons = [_kept(suite, getattr(domain, suite), getattr(challenger, suite), "domain") for suite in KEPT]
    ratio = challenger.pseudo_perplexity / domain.pseudo_perplexity
    reasons.append(
        Reason(
            "perplexity",
            ratio <= MAX_PERPLEXITY_RATIO,
            f"pseudo-perplexity {challenger.pseudo_perplexity:.2f} (domain "
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


def _movements(moved: Drift | None) -> list[Reason]:
    if moved is None:
        text = "0 neutral queries to compare answers on"
        return [Reason(name, True, text, has_data=False) for name in ("drift", "overlap")]
    nats = f"answers nobody voted on moved by {moved.nats:.3f} nats (limit {MAX_DRIFT_NATS:.2f})"
    kept = f"{moved.top10_kept:.0%} of the top ten on {moved.masks} of them kept (at least {MIN_OVERLAP:.0%})"
    return [
        Reason("drift", moved.nats <= MAX_DRIFT_NATS, nats),
        Reason("overlap", moved.top10_kept >= MIN_OVERLAP, kept),
    ]


def _behaved(behaviour: Behaviour) -> Reason:
    skipped = f" ({behaviour.skipped} skipped)" if behaviour.skipped else ""
    if not behaviour.tests:
        return Reason("behaviour", True, f"0 behaviour tests to take{skipped}", has_data=False)
    failures = behaviour.new_failures
    text = f"of {behaviour.tests} behaviour tests{skipped} {len(failures)} are newly failed"
    if failures:
        left_out = f" and {len(failures) - SHOWN_FAILURES} more" if len(failures) > SHOWN_FAILURES else ""
        text += f": {'; '.join(failures[:SHOWN_FAILURES])}{left_out}"
    return Reason("behaviour", not failures, text)


def _clean(denied: int, offered: Sequence[str]) -> Reason:
    if offered:
        return Reason("deny-list", False, f"it may offer denied words: {', '.join(offered)}")
    return Reason("deny-list", True, f"it may offer 0 of {denied} denied words", has_data=denied > 0)


def _generalises(held_out: HeldOut) -> Reason:
    if held_out.judgements < MIN_HELD_OUT or not held_out.hit_changes:
        text = f"{held_out.judgements} held-out judgements are too few to judge by (needed: {MIN_HELD_OUT})"
        return Reason("held-out", True, text, has_data=False)
    low = interval(means(held_out.hit_changes)).low
    text = f"on {len(held_out.hit_changes)} held-out queries hit@10 changed by at least {low:+.3f}"
    return Reason("held-out", low >= MIN_HIT_CHANGE, f"{text} (limit {MIN_HIT_CHANGE:+.2f})")


def _is_new(rolled_back: int, *, was_rolled_back: bool) -> Reason:
    text = f"none of {rolled_back} rolled-back sets of votes is this one"
    if was_rolled_back:
        text = (
            f"a version with the same votes was rolled back before (1 of {rolled_back}); new votes or a "
            "promotion by hand help"
        )
    return Reason("rolled back", not was_rolled_back, text, has_data=rolled_back > 0)
