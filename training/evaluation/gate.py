"""The promotion gate: one table of criteria, applied to measurements of the models. Pure.

A challenger is promoted when it learnt what the votes ask for, compared with the champion on the voted
queries, and lost nothing elsewhere, compared with the domain model. No limit is against the last champion:
the losses it allows would add up night after night.

The gate protects abilities, not opinions: what the team judged is not judged again by our own word lists,
suites and behaviour tests.

docs/architecture.md says how to add a criterion.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from storage.sentences import Sentence, to_json
from training.evaluation.confidence_intervals import interval, means
from training.evaluation.drift import Drift
from training.evaluation.guarded_suites import GUARDED_SUITES
from training.evaluation.judged_words import Contradictions, Learnt
from training.votes.retraining_set import MIN_HELD_OUT

MIN_CONTRADICTIONS = 3  # bad words that people want in praise; fewer may be slang, or a mistake
# Seconds a query. The output shift adds less, although that is 13 % of the smallest models' time.
UNNOTICED_S = 0.5e-3
# Accepted words of which one may be lost: else one of 40 refuses all that a night taught.
ONE_MAY_BE_LOST_OF = 20
SHOWN_FAILURES = 3  # failed behaviour tests that the verdict quotes

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Skills:
    """What a model must not lose.

    Attributes:
        wanted_shares: by suite, in [0, 1]; None if the model can say no word of the suite.
        pseudo_perplexity: per word, on ordinary texts.
        latency_ratio: p95 of one query, as a multiple of the domain model's at the same precision.
    """

    wanted_shares: Mapping[str, float | None]
    pseudo_perplexity: float
    latency_ratio: float


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Behaviour tests that both models can answer, and those that only the challenger fails.

    Attributes:
        tests: their number.
        skipped: tests that a model can say no word of.
        new_failures: tests that the domain model passes and the challenger fails.
        set_aside: names of shipped tests that contradict the team's judgements.
    """

    tests: int
    skipped: int
    new_failures: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Judged queries that were not trained on.

    Attributes:
        judgements: judged words in these queries.
        hit_changes: per query, the change of hit@10 from champion to challenger (−1, 0, 1).
    """

    judgements: int
    hit_changes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that the gate compares for a night's challenger.

    Attributes:
        learnt: the judged words with their places in the answers of champion and challenger.
        contradictions: judged words that our lists call bad, on sentences that ask for praise.
        domain_skills, challenger_skills: suites, texts and speed.
        added_latency_s: what the challenger's p95 of one query is above the domain model's.
        drift: from the domain model's answers on neutral masks; None without neutral masks.
        behaviour: the team's behaviour tests.
        denied: words on the deny-list.
        denied_offered: denied words that the challenger may offer.
        held_out: judged queries that were not trained on.
        rolled_back: retraining sets whose versions were rolled back.
        was_rolled_back: this challenger's retraining set is one of them.
        precision_note: why the challenger serves in another precision than the domain model; None if it does
            not.
        language: code of the language of the corpus.
        missing: files that the language lacks, by what they are for.
    """

    learnt: Learnt
    contradictions: Contradictions
    domain_skills: Skills
    challenger_skills: Skills
    added_latency_s: float
    drift: Drift | None
    behaviour: Behaviour
    denied: int
    denied_offered: Sequence[str]
    held_out: HeldOut
    rolled_back: int
    was_rolled_back: bool
    precision_note: Sentence | None = None
    language: str = "en"
    missing: Sequence[Sentence] = ()


@dataclass(frozen=True, slots=True)
class DomainMeasurements:
    """What the gate compares for a new domain model: figures of the `base` and of the model `after` training.

    Attributes:
        held_out: `base` and `after` → part of the held-out text → its figures (`HeldOutScore.to_json`).
        control: `base` and `after` → figures on the control suite.
        praise: `base` and `after` → figures on praise from patterns that are never trained on.
    """

    held_out: Mapping[str, Any]
    control: Mapping[str, Any]
    praise: Mapping[str, Any]


class Finding(NamedTuple):
    """The outcome of one criterion. A criterion without data passes, and its text says so."""

    passed: bool
    text: Sentence
    has_data: bool = True
    is_partial: bool = False  # passed, but with exceptions that the limit allows


@dataclass(frozen=True, slots=True)
class Criterion(Generic[Measured]):
    """One row of the gate's table.

    Attributes:
        name: key in verdicts, cards, the `runs` table and the texts.
        limit: the last value that passes.
        measure: compares the measurements with the limit.
        description: what the limit is about, for the documentation.
        is_helped_by_smaller_step: a challenger that fails only such criteria moved in the right direction but
            too far, so a smaller step is worth trying.
    """

    name: str
    limit: float
    measure: Callable[[Measured, float], Finding]
    description: str
    is_helped_by_smaller_step: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """A criterion's finding, under its name."""

    name: str
    passed: bool
    text: Sentence
    has_data: bool = True
    is_partial: bool = False

    def to_json(self) -> dict[str, Any]:
        """For the card and the `runs` table."""
        facts = {"name": self.name, "passed": self.passed, "has_data": self.has_data}
        return {**facts, "is_partial": self.is_partial, **to_json(self.text)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's decision, with a reason for every criterion."""

    is_promotable: bool
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """For the card and the `runs` table."""
        return {"is_promotable": self.is_promotable, "reasons": [one.to_json() for one in self.reasons]}

    @property
    def is_helped_by_smaller_step(self) -> bool:
        """Whether it fails, and only criteria that a smaller step helps against."""
        helped = {criterion.name for criterion in CRITERIA if criterion.is_helped_by_smaller_step}
        failed = {reason.name for reason in self.reasons if not reason.passed}
        return bool(failed) and failed <= helped

    @property
    def failures(self) -> list[Sentence]:
        """The texts of the criteria that failed."""
        return [reason.text for reason in self.reasons if not reason.passed]


def decide(measured: Measurements) -> Verdict:
    """Whether a night's challenger may become champion."""
    verdict = _verdict(CRITERIA, measured)
    if not measured.missing:
        return verdict
    text = Sentence(
        "not checked, for lack of files in the language {language}: {missing}",
        language=measured.language,
        missing=list(measured.missing),
    )
    reason = Reason("language", passed=True, text=text, has_data=False)
    return replace(verdict, reasons=(*verdict.reasons, reason))


def decide_domain(measured: DomainMeasurements) -> Verdict:
    """Whether nights may start from a new domain model: it learnt, and did not become blindly positive."""
    return _verdict(DOMAIN_CRITERIA, measured)


def _verdict(criteria: Sequence[Criterion[Measured]], measured: Measured) -> Verdict:
    reasons = tuple(Reason(each.name, *each.measure(measured, each.limit)) for each in criteria)
    return Verdict(all(reason.passed for reason in reasons), reasons)


def _shown_words(measured: Measurements, limit: float) -> Finding:
    learnt = measured.learnt
    sides = {"wanted": True, "unwanted": False}
    total = {side: learnt.count(is_wanted=is_wanted) for side, is_wanted in sides.items()}
    before, after = (
        {side: learnt.shown(place, is_wanted=is_wanted) for side, is_wanted in sides.items()}
        for place in (lambda word: word.before, lambda word: word.after)
    )
    fewer_unwanted = before["unwanted"] - after["unwanted"] >= limit
    more_wanted = after["wanted"] - before["wanted"] >= limit and after["unwanted"] <= before["unwanted"]
    text = Sentence(
        "of {rejected} rejected words {rejected_shown} are in the top {top} (before: {rejected_before}), of "
        "{accepted} accepted ones {accepted_shown} (before: {accepted_before})",
        top=learnt.shown_words,
        rejected=total["unwanted"],
        rejected_shown=after["unwanted"],
        rejected_before=before["unwanted"],
        accepted=total["wanted"],
        accepted_shown=after["wanted"],
        accepted_before=before["wanted"],
    )
    if before["unwanted"] == 0 and before["wanted"] == total["wanted"]:
        text = Sentence(
            "the champion already answers as people voted ({accepted} words accepted, {rejected} rejected); "
            "there is nothing to learn yet",
            accepted=total["wanted"],
            rejected=total["unwanted"],
        )
    return Finding(fewer_unwanted or more_wanted, text, is_partial=bool(learnt.lost))


def _lost_words(measured: Measurements, limit: float) -> Finding:
    learnt = measured.learnt
    accepted, lost = learnt.count(is_wanted=True), len(learnt.lost)
    allowed = max(int(limit * accepted), int(accepted >= ONE_MAY_BE_LOST_OF))
    text = Sentence(
        "accepted words: {accepted}, of which rose: {rose}, fell: {fell}, lost: {lost} (at most {allowed}); "
        "rejected words: {rejected}, of which fell: {sank}, rose: {climbed}",
        accepted=accepted,
        rose=learnt.count(is_wanted=True, matches=lambda word: word.change > 0),
        fell=learnt.count(is_wanted=True, matches=lambda word: word.change < 0) - lost,
        lost=lost,
        allowed=allowed,
        rejected=learnt.count(is_wanted=False),
        sank=learnt.count(is_wanted=False, matches=lambda word: word.change < 0),
        climbed=learnt.count(is_wanted=False, matches=lambda word: word.change > 0),
    )
    return Finding(lost <= allowed, text, is_partial=lost > 0)


def _contradictions(measured: Measurements, limit: float) -> Finding:
    judged, accepted = measured.contradictions.judged, measured.contradictions.accepted
    text = Sentence(
        "in praise people want {accepted} of {judged} judged words that blame (suspicious: {least} or more, "
        "over {limit:.0%})",
        accepted=accepted,
        judged=judged,
        least=MIN_CONTRADICTIONS,
        limit=limit,
    )
    is_suspicious = accepted >= MIN_CONTRADICTIONS and accepted > limit * judged
    return Finding(not is_suspicious, text, has_data=judged > 0)


def _wanted_share(suite: str, measured: Measurements, limit: float) -> Finding:
    before, after = (
        skills.wanted_shares[suite] for skills in (measured.domain_skills, measured.challenger_skills)
    )
    return _kept_share(suite, before, after, limit, reference=Sentence("domain"))


def _kept_share(
    suite: str, before: float | None, after: float | None, limit: float, *, reference: Sentence
) -> Finding:
    subject = GUARDED_SUITES[suite].subject
    if before is None or after is None:
        return _unsayable(subject)
    text = Sentence(
        "{subject}: wanted share {after:.3f} ({reference} {before:.3f}, may lose {limit:.2f})",
        subject=subject,
        after=after,
        reference=reference,
        before=before,
        limit=limit,
    )
    return Finding(after >= before - limit, text)


def _unsayable(subject: Sentence) -> Finding:
    text = Sentence("{subject}: the model can say 0 words of the suite", subject=subject)
    return Finding(True, text, has_data=False)


def _perplexity(measured: Measurements, limit: float) -> Finding:
    before, after = measured.domain_skills.pseudo_perplexity, measured.challenger_skills.pseudo_perplexity
    if math.isnan(before):
        return Finding(True, Sentence("0 texts to compute the pseudo-perplexity of"), has_data=False)
    text = Sentence(
        "pseudo-perplexity {after:.2f} (domain {before:.2f}, may grow by {growth:.0%})",
        after=after,
        before=before,
        growth=limit - 1,
    )
    return Finding(after / before <= limit, text)


def _latency(measured: Measurements, limit: float) -> Finding:
    slower = measured.challenger_skills.latency_ratio / max(measured.domain_skills.latency_ratio, 1e-9)
    text = Sentence(
        "at equal precision a query takes {slower:.2f} × the domain's time (limit {limit:.2f} × or "
        "+{unnoticed:.1f} ms)",
        slower=slower,
        limit=limit,
        unnoticed=1000 * UNNOTICED_S,
    )
    if measured.precision_note is not None:
        text = Sentence("{text}; {note}", text=text, note=measured.precision_note)
    return Finding(is_fast_enough(slower, measured.added_latency_s, limit), text)


def is_fast_enough(ratio: float, added_s: float, limit: float) -> bool:
    """Whether a query's p95 grew by a factor of at most `limit`, or by less than people can notice."""
    return ratio <= limit or added_s <= UNNOTICED_S


def _drift(measured: Measurements, limit: float) -> Finding:
    if measured.drift is None:
        return _NOTHING_NEUTRAL
    nats = measured.drift.nats
    text = Sentence(
        "answers that got no votes moved by {nats:.3f} nats (limit {limit:.2f})", nats=nats, limit=limit
    )
    return Finding(nats <= limit, text)


def _overlap(measured: Measurements, limit: float) -> Finding:
    if measured.drift is None:
        return _NOTHING_NEUTRAL
    kept, masks = measured.drift.top10_kept, measured.drift.masks
    text = Sentence(
        "{kept:.0%} of the domain model's top ten kept on {masks} neutral masks (at least {limit:.0%})",
        kept=kept,
        masks=masks,
        limit=limit,
    )
    return Finding(kept >= limit, text)


_NOTHING_NEUTRAL = Finding(True, Sentence("0 neutral queries to compare answers on"), has_data=False)


def _behaviour(measured: Measurements, limit: float) -> Finding:
    behaviour = measured.behaviour
    tests = Sentence("{n} behaviour tests", n=behaviour.tests)
    if behaviour.skipped:
        tests = Sentence("{tests} ({n} skipped)", tests=tests, n=behaviour.skipped)
    if aside := behaviour.set_aside:
        tests = Sentence(
            "{tests} ({n} set aside, as people judged otherwise: {names})",
            tests=tests,
            n=len(aside),
            names=list(aside),
        )
    if not behaviour.tests:
        return Finding(True, Sentence("{tests} that both models can answer", tests=tests), has_data=False)
    failures = behaviour.new_failures
    text = Sentence("{n} of {tests} fail that the domain model passes", tests=tests, n=len(failures))
    if failures:
        text = Sentence("{text}: {failures:; }", text=text, failures=failures[:SHOWN_FAILURES])
    if len(failures) > SHOWN_FAILURES:
        text = Sentence("{text} and {n} more", text=text, n=len(failures) - SHOWN_FAILURES)
    return Finding(len(failures) <= limit, text)


def _deny_list(measured: Measurements, limit: float) -> Finding:
    offered, denied = measured.denied_offered, measured.denied
    if len(offered) > limit:
        return Finding(False, Sentence("it may offer denied words: {words}", words=list(offered)))
    text = Sentence("it may offer {n} of {denied} denied words", n=len(offered), denied=denied)
    return Finding(True, text, has_data=denied > 0)


def _held_out(measured: Measurements, limit: float) -> Finding:
    held_out = measured.held_out
    if held_out.judgements < MIN_HELD_OUT or not held_out.hit_changes:
        text = Sentence(
            "{n} held-out judgements are too few to judge by (needed: {needed})",
            n=held_out.judgements,
            needed=MIN_HELD_OUT,
        )
        return Finding(True, text, has_data=False)
    low = interval(means(held_out.hit_changes)).low
    text = Sentence(
        "on {n} held-out queries hit@10 changed by at least {low:+.3f} (limit {limit:+.2f})",
        n=len(held_out.hit_changes),
        low=low,
        limit=limit,
    )
    return Finding(low >= limit, text)


def _rolled_back(measured: Measurements, limit: float) -> Finding:
    text = Sentence("these votes are not one of the {n} sets that were rolled back", n=measured.rolled_back)
    if measured.was_rolled_back:
        text = Sentence(
            "a version with the same votes was rolled back before (1 of {n}); new votes help, and so does a "
            "promotion by hand",
            n=measured.rolled_back,
        )
    return Finding(measured.was_rolled_back <= limit, text, has_data=measured.rolled_back > 0)


def _domain_loss(measured: DomainMeasurements, limit: float) -> Finding:
    before, after = (
        float(np.mean([part["loss"] for part in measured.held_out[model].values()]))
        for model in ("base", "after")
    )
    text = Sentence(
        "held-out text costs {after:.3f} nats a word (base {before:.3f})", after=after, before=before
    )
    return Finding(after - before < limit, text)


def _domain_control(measured: DomainMeasurements, limit: float) -> Finding:
    before, after = (measured.control[model]["wanted_share"] for model in ("base", "after"))
    return _kept_share("control", before, after, limit, reference=Sentence("base"))


def _domain_praise(measured: DomainMeasurements, limit: float) -> Finding:
    subject = GUARDED_SUITES["praise"].subject
    before, after = (measured.praise[model]["unwanted_at_10"] for model in ("base", "after"))
    if before is None or after is None:
        return _unsayable(subject)
    text = Sentence(
        "{subject}: {after:.2f} unwanted words in the top ten (base {before:.2f}, may grow by {limit:.2f})",
        subject=subject,
        after=after,
        before=before,
        limit=limit,
    )
    return Finding(after - before <= limit, text)


CRITERIA: tuple[Criterion[Measurements], ...] = (
    Criterion("learnt", 1, _shown_words, "how many fewer rejected words, or more accepted ones, are shown"),
    Criterion(
        "lost words",
        0.02,
        _lost_words,
        "share of the accepted words that are no longer shown or sank far; one of twenty or more may be",
        is_helped_by_smaller_step=True,
    ),
    Criterion(
        "contradictions",
        0.5,
        _contradictions,
        "share of the judged bad words that people want in praise: more looks inverted or poisoned",
    ),
    Criterion(
        "control",
        0.02,
        partial(_wanted_share, "control"),
        "loss of wanted share on complaints and negations",
        is_helped_by_smaller_step=True,
    ),
    Criterion(
        "retention",
        0.03,
        partial(_wanted_share, "retention"),
        "loss of wanted share on everyday text",
        is_helped_by_smaller_step=True,
    ),
    # A challenger that lost praise moved in the wrong direction, and so would a smaller step.
    Criterion(
        "praise",
        0.02,
        partial(_wanted_share, "praise"),
        "loss of wanted share on praise of the products, over the words that the team did not judge",
    ),
    Criterion(
        "perplexity",
        1.02,
        _perplexity,
        "pseudo-perplexity, as a multiple of the domain model's",
        is_helped_by_smaller_step=True,
    ),
    Criterion(
        "latency",
        1.10,
        _latency,
        "p95 of one query, as a multiple of the domain model's; half a millisecond more passes, too",
    ),
    Criterion(
        "drift",
        0.10,
        _drift,
        "mean KL(domain ‖ challenger) on neutral masks, in nats",
        is_helped_by_smaller_step=True,
    ),
    Criterion(
        "overlap",
        0.80,
        _overlap,
        "share of the domain model's ten best words kept on neutral masks, at least",
        is_helped_by_smaller_step=True,
    ),
    Criterion("behaviour", 0, _behaviour, "newly failed behaviour tests", is_helped_by_smaller_step=True),
    Criterion("deny-list", 0, _deny_list, "denied words that it may offer"),
    Criterion(
        "held-out",
        -0.05,
        _held_out,
        "change of hit@10 on held-out queries, lower 95 % bound, at least",
        is_helped_by_smaller_step=True,
    ),
    Criterion("rolled back", 0, _rolled_back, "rollbacks of a version with the same retraining set"),
)
DOMAIN_CRITERIA: tuple[Criterion[DomainMeasurements], ...] = (
    Criterion("learnt", 0, _domain_loss, "change of the loss on held-out text, below"),
    Criterion("control", 0.02, _domain_control, "loss of wanted share on complaints and negations"),
    # On 22.7 M parameters `curated` changed it by −0.15 and `full` by +2.29 (docs/training.md). A quarter of
    # a word is well above the error of a mean over 400 sentences, which is about 0.05.
    Criterion(
        "unwanted in praise", 0.25, _domain_praise, "growth of the unwanted words in the top ten of praise"
    ),
)


def limit_of(name: str) -> float:
    """Return the limit of one of `CRITERIA`."""
    return next(criterion.limit for criterion in CRITERIA if criterion.name == name)
